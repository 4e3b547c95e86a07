import { Link } from 'react-router';
import type { PipelineView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Card, Figure, Figures } from '../ui/parts.tsx';
import { ageOf } from './age.ts';
import { MissingPart } from './missing-part.tsx';

/** How far behind those are who read what happened, and what nobody could use. */
export const Readers = ({ view }: { view: PipelineView }) => (
  <div className="grid gap-5 md:grid-cols-3">
    <Card title="Statistics">
      {view.sink === null ? (
        <MissingPart view={view} part="sink" />
      ) : (
        <Figures>
          <Figure label="Events not stored yet" value={formatCount(view.sink.lag)} />
          <Figure label="Oldest" value={ageOf(view.sink)} />
        </Figures>
      )}
    </Card>
    <Card title="Progress of campaigns">
      {view.progress === null ? (
        <MissingPart view={view} part="progress" />
      ) : (
        <Figures>
          <Figure label="Events not counted yet" value={formatCount(view.progress.lag)} />
          <Figure label="Oldest" value={ageOf(view.progress)} />
        </Figures>
      )}
    </Card>
    <Card
      title="Dead letters"
      aside={
        <Link to="/failures" className="text-accent underline">
          Failures
        </Link>
      }
    >
      {view.dead_letters === null ? (
        <MissingPart view={view} part="dead_letters" />
      ) : (
        <>
          <Figures>
            <Figure label="Messages" value={formatCount(view.dead_letters.messages)} />
            <Figure
              label="Delivery events"
              value={formatCount(view.dead_letters.deliveries)}
              {...(view.dead_letters.deliveries > 0 ? { tone: 'warn' as const } : {})}
            />
          </Figures>
          <p className="mt-2 text-xs text-soft">Ever since, with those that were sent again or purged.</p>
        </>
      )}
    </Card>
  </div>
);
