import type { PartitionAuditView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { NumTd, NumTh, Table } from '../ui/table.tsx';
import { AuditFigures } from './figures.tsx';

interface AuditPartitionsProps {
  readonly partitions: readonly PartitionAuditView[] | null;
  readonly unavailable: string | null;
}

const differs = (each: PartitionAuditView): boolean => each.figures.some(({ difference }) => (difference ?? 0) > 0);

/** The log of deliveries and what is stored of it, partition by partition, folded unless something differs. */
export function AuditPartitions({ partitions, unavailable }: AuditPartitionsProps) {
  if (partitions === null)
    return (
      <p className="wrap-anywhere">
        <span className="font-medium text-bad">Partitions are not known now</span>
        {unavailable && <span className="text-soft">: {unavailable}</span>}
      </p>
    );
  const different = partitions.filter(differs);
  const records = partitions.reduce((sum, each) => sum + each.log_end - each.log_start, 0);
  return (
    <details open={different.length > 0}>
      <summary className="num">
        <span className="text-accent">Partitions of deliveries</span>{' '}
        <span className={different.length > 0 ? 'font-semibold text-bad' : 'text-soft'}>
          {different.length > 0
            ? `${different.length} of ${partitions.length} differ`
            : `${partitions.length}, ${formatCount(records)} records in the log, difference 0`}
        </span>
      </summary>
      <div className="mt-2 flex flex-col gap-3">
        {different.map((each) => (
          <AuditFigures
            key={each.partition}
            label={`What differs in partition ${each.partition}`}
            figures={each.figures}
          />
        ))}
        <Table label="Partitions of deliveries">
          <thead>
            <tr>
              <NumTh>Partition</NumTh>
              <NumTh>Log</NumTh>
              <NumTh>Stored to</NumTh>
              <NumTh>Stored rows</NumTh>
              <NumTh>Distinct</NumTh>
              <NumTh>Dead letters</NumTh>
              <NumTh>Difference</NumTh>
            </tr>
          </thead>
          <tbody>
            {partitions.map((each) => {
              const known = each.figures.flatMap(({ difference }) => difference ?? []);
              const most = known.length === 0 ? null : Math.max(...known);
              return (
                <tr key={each.partition}>
                  <NumTd>{each.partition}</NumTd>
                  <NumTd>
                    {formatCount(each.log_start)}–{formatCount(each.log_end)}
                  </NumTd>
                  <NumTd>{formatCount(each.stored_to)}</NumTd>
                  <NumTd>{formatCount(each.raw_rows)}</NumTd>
                  <NumTd>{formatCount(each.log_records)}</NumTd>
                  <NumTd>{formatCount(each.dead_letters)}</NumTd>
                  <NumTd className={most ? 'font-semibold text-bad' : ''}>
                    {most === null ? 'not comparable yet' : formatCount(most)}
                  </NumTd>
                </tr>
              );
            })}
          </tbody>
        </Table>
      </div>
    </details>
  );
}
