import type { CampaignView } from '../api/types.ts';
import { Foreign } from '../ui/parts.tsx';

/** What is sent, folded: it does not change any more. */
export const ContentCard = ({ campaign }: { campaign: CampaignView }) => (
  <details className="min-w-0 rounded-lg border border-line bg-panel p-4">
    <summary className="font-semibold">Template</summary>
    <dl className="mt-3 flex flex-col gap-3">
      {(
        [
          ['Subject', campaign.subject],
          ['From', campaign.from],
          ['Reply to', campaign.reply_to],
        ] as const
      )
        .filter(([, value]) => value !== '')
        .map(([label, value]) => (
          <div key={label}>
            <dt className="text-sm text-soft">{label}</dt>
            <dd>
              <Foreign text={value} />
            </dd>
          </div>
        ))}
      <div>
        <dt className="text-sm text-soft">Body ({campaign.content_type})</dt>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <dd tabIndex={0} className="mt-1 max-h-96 overflow-y-auto rounded-md bg-raised p-3 font-mono text-sm">
          <Foreign text={campaign.template} lines />
        </dd>
      </div>
    </dl>
  </details>
);
