import type { CampaignAuditView, PartitionAuditView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Foreign } from '../ui/parts.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';

type Figure = CampaignAuditView['figures'][number] | PartitionAuditView['figures'][number];

/** docs/auditor.md says each at length. */
const MEANINGS: Readonly<Record<Figure['figure'], string>> = {
  audience: 'Audience at send, and as it is kept',
  ended: 'Accepted messages, and ended ones',
  states: 'Counters of progress, and stored events',
  missing: 'Accepted messages, and those with an end',
  alien: 'Messages that the campaign cannot have',
  doubled: 'Places in the log, and stored rows',
  unmarked_repeats: 'Ends that count twice',
  minute_rollup: 'Stored events, and sums by minute',
  hour_rollup: 'Stored events, and sums by hour',
  campaign_rollup: 'Stored events, and sums of the campaign',
  histogram: 'Sent events, and those in the latency histogram',
  stats: 'Stored events, and the statistics shown',
  listed: 'Messages by state, and the list of messages',
  failures: 'Failed messages, and the list of failures',
  gaps: 'Offsets committed, and offsets stored',
  doubled_offsets: 'Distinct offsets, and stored rows',
  beyond_log: 'Rows at offsets that the log does not have',
};

export const nameOfFigure = (figure: string): string => figure.replaceAll('_', ' ');

/** What was compared with what. Differences come first, in red, with whom they are about. */
export function AuditFigures({ label, figures }: { label: string; figures: readonly Figure[] }) {
  const sorted = [...figures].sort((a, b) => (b.difference ?? 0) - (a.difference ?? 0));
  return (
    <Table label={label}>
      <thead>
        <tr>
          <Th>Compared</Th>
          <NumTh>Expected</NumTh>
          <NumTh>Found</NumTh>
          <NumTh>Difference</NumTh>
        </tr>
      </thead>
      <tbody>
        {sorted.map((each) => {
          const differs = each.difference !== null && each.difference > 0;
          return (
            <tr key={each.figure}>
              <Td className="min-w-48">
                <span className={`font-medium ${differs ? 'text-bad' : ''}`}>{nameOfFigure(each.figure)}</span>
                <span className="block text-soft">{MEANINGS[each.figure]}</span>
                {each.ids.length > 0 && (
                  <ul aria-label={`Differences of ${nameOfFigure(each.figure)}`} className="mt-1 flex flex-col gap-0.5">
                    {each.ids.map(({ id, detail }) => (
                      <li key={`${id} ${detail}`} className="text-bad">
                        <Foreign text={id} className="font-mono text-xs" />: <Foreign text={detail} />
                      </li>
                    ))}
                  </ul>
                )}
                {each.more > 0 && <span className="text-bad">and {formatCount(each.more)} more</span>}
              </Td>
              <NumTd>{formatCount(each.expected)}</NumTd>
              <NumTd>{formatCount(each.found)}</NumTd>
              <NumTd className={differs ? 'font-semibold text-bad' : ''}>
                {each.difference === null ? 'not comparable yet' : formatCount(each.difference)}
              </NumTd>
            </tr>
          );
        })}
      </tbody>
    </Table>
  );
}
