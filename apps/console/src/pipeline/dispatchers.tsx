import type { PipelineView } from '../api/types.ts';
import { formatCount, formatRate } from '../format.ts';
import { Badge, Foreign, ForeignLine, Time } from '../ui/parts.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { wholeSeconds } from './age.ts';
import { type Dispatcher, nameOfCause, rangesOf } from './names.ts';

/** One that has been gone for so long stands folded. */
const LONG_GONE_MS = 600_000;
const share = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });

export function Dispatchers({ dispatchers }: { dispatchers: NonNullable<PipelineView['dispatchers']> }) {
  const sorted = [...dispatchers].sort((a, b) => (a.id < b.id ? -1 : 1));
  const gone = sorted.filter((each) => !each.alive && each.seen_ms_ago >= LONG_GONE_MS);
  const shown = sorted.filter((each) => !gone.includes(each));
  return (
    <div className="flex flex-col gap-4">
      {shown.length === 0 && <p className="font-medium text-bad">No dispatcher is alive: nothing is sent.</p>}
      {shown.map((each) => (
        <One key={each.id} dispatcher={each} />
      ))}
      {gone.length > 0 && (
        <details>
          <summary className="text-sm text-soft">Gone for longer than 10 minutes: {gone.length}</summary>
          <ul className="mt-2 flex flex-col gap-1 text-sm">
            {gone.map(({ id, seen_ms_ago }) => (
              <li key={id}>
                <Foreign text={id} className="font-medium" />{' '}
                <span className="text-soft">not seen for {wholeSeconds(seen_ms_ago)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function One({ dispatcher }: { dispatcher: Dispatcher }) {
  const { id, alive, seen_ms_ago, version, partitions, lanes, held, providers } = dispatcher;
  const causes = Object.entries(held).filter(([, campaigns]) => campaigns > 0);
  return (
    <article
      aria-label={`Dispatcher ${id.slice(0, 200)}`}
      className={`rounded-md border p-3 ${alive ? 'border-line' : 'border-bad'}`}
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 font-medium">
          <Foreign text={id} />
        </h3>
        {alive ? (
          <Badge tone="good">
            <span aria-hidden className="size-2 rounded-full bg-good" /> alive
          </Badge>
        ) : (
          <Badge tone="bad">not alive</Badge>
        )}
        <span className="num text-sm text-soft">
          version <Foreign text={version || '–'} /> · seen{' '}
          {seen_ms_ago < 1_000 ? 'less than a second' : wholeSeconds(seen_ms_ago)} ago
        </span>
      </div>
      <dl className={`num mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm ${alive ? '' : 'text-soft'}`}>
        <dt className="text-soft">{alive ? 'Partitions' : 'Partitions it had'}</dt>
        <dd>{partitions.length === 0 ? 'none' : `${rangesOf(partitions)} (${partitions.length})`}</dd>
        {Object.entries(lanes).map(([lane, { running, waiting }]) => (
          <div key={lane} className="contents">
            <dt className="text-soft">
              Lane <bdi>{lane}</bdi>
            </dt>
            <dd>
              {formatCount(running)} running, {formatCount(waiting)} waiting
            </dd>
          </div>
        ))}
        <dt className="text-soft">Held campaigns</dt>
        <dd>
          {causes.length === 0
            ? 'none'
            : causes.map(([cause, campaigns]) => `${formatCount(campaigns)} – ${nameOfCause(cause)}`).join('; ')}
        </dd>
      </dl>
      {providers.length > 0 && (
        <div className="mt-3">
          <Providers id={id} providers={providers} />
        </div>
      )}
    </article>
  );
}

const Providers = ({ id, providers }: { id: string; providers: Dispatcher['providers'] }) => (
  <Table label={`Provider limits of ${id.slice(0, 80)}`}>
    <thead>
      <tr>
        <Th>Provider</Th>
        <NumTh title="Calls under way, of those that may be now; and the most that may become">
          Calls of limit / ceiling
        </NumTh>
        <NumTh title="Of all dispatchers together">Rate</NumTh>
        <NumTh title="Part of the provider's limits that this dispatcher may use">Share</NumTh>
        <Th>Left alone until</Th>
      </tr>
    </thead>
    <tbody>
      {providers.map((each) => (
        <tr key={`${each.tenant_id} ${each.provider}`}>
          <Td className="max-w-56 font-medium">
            <ForeignLine text={each.provider} />
          </Td>
          <NumTd>
            <span className="inline-block min-w-12">{formatCount(each.calls)}</span> of{' '}
            {each.limit === null ? 'any' : formatCount(each.limit)} /{' '}
            {each.ceiling === null ? '–' : formatCount(each.ceiling)}
          </NumTd>
          <NumTd>{each.rate_per_second === null ? 'no limit' : `${formatRate(each.rate_per_second)}/s`}</NumTd>
          <NumTd>{share.format(each.share)}</NumTd>
          <Td className="min-w-32">
            <Time iso={each.blocked_until} />
          </Td>
        </tr>
      ))}
    </tbody>
  </Table>
);
