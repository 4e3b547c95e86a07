import { Fragment, useState } from 'react';
import type { PipelineView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Badge, ForeignLine } from '../ui/parts.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { ageOf } from './age.ts';
import { MEANING_OF_QUEUE, nameOfQueue, type Queue } from './names.ts';

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What waits where, and for how long; each with its partitions, folded. */
export function Queues({ queues }: { queues: NonNullable<PipelineView['queues']> }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (name: string) =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(name)) after.add(name);
      return after;
    });
  return (
    <Table label="Lanes, retry tiers and held">
      <thead>
        <tr>
          <Th>Queue</Th>
          <NumTh>Waiting</NumTh>
          <NumTh>Oldest</NumTh>
          <Th>Partitions</Th>
        </tr>
      </thead>
      <tbody>
        {queues.map((queue) => {
          const unowned = queue.partitions.filter((each) => each.owner === null).length;
          return (
            <Fragment key={queue.name}>
              <tr>
                <Td>
                  <span className="font-medium whitespace-nowrap">{capital(nameOfQueue(queue))}</span>
                  <span className="hidden text-soft sm:block">{MEANING_OF_QUEUE[queue.kind]}</span>
                </Td>
                <NumTd className="sm:min-w-24">{formatCount(queue.lag)}</NumTd>
                <NumTd className="min-w-20 sm:min-w-28">{ageOf(queue)}</NumTd>
                <Td className="sm:min-w-44">
                  <span className="flex flex-wrap items-center gap-2">
                    <button
                      type="button"
                      className="rounded-md px-1.5 py-0.5 whitespace-nowrap text-accent hover:bg-raised"
                      aria-expanded={open.has(queue.name)}
                      aria-label={`${open.has(queue.name) ? 'Fold' : 'Unfold'} the ${queue.partitions.length} partitions of ${nameOfQueue(queue)}`}
                      onClick={() => toggle(queue.name)}
                    >
                      <span aria-hidden>{open.has(queue.name) ? '▾' : '▸'}</span> {queue.partitions.length}
                    </button>
                    {unowned > 0 && <Badge tone="bad">{unowned} without a dispatcher</Badge>}
                  </span>
                </Td>
              </tr>
              {open.has(queue.name) && (
                <tr>
                  <td colSpan={4} className="border-b border-line bg-ground p-0">
                    <Partitions queue={queue} />
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </Table>
  );
}

const Partitions = ({ queue }: { queue: Queue }) => (
  <table className="w-full">
    <caption className="sr-only">Partitions of {nameOfQueue(queue)}</caption>
    <thead>
      <tr>
        <NumTh>Partition</NumTh>
        <NumTh>Committed</NumTh>
        <NumTh>Log end</NumTh>
        <NumTh>Lag</NumTh>
        <NumTh>Oldest</NumTh>
        <Th>Dispatcher</Th>
      </tr>
    </thead>
    <tbody>
      {queue.partitions.map((each) => (
        <tr key={each.partition}>
          <NumTd>{each.partition}</NumTd>
          <NumTd title={each.committed === null ? 'Nothing was ever committed' : undefined}>
            {each.committed === null ? '–' : formatCount(each.committed)}
          </NumTd>
          <NumTd>{formatCount(each.log_end)}</NumTd>
          <NumTd>{formatCount(each.lag)}</NumTd>
          <NumTd className="min-w-24">{ageOf(each)}</NumTd>
          <Td className="max-w-48">
            {each.owner === null ? <span className="text-bad">none</span> : <ForeignLine text={each.owner} />}
          </Td>
        </tr>
      ))}
    </tbody>
  </table>
);
