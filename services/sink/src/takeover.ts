import type { DeliveryEvent } from '@volley/contract';
import { belongsTo, createRepeatRule, type Decoded, REPEAT_WINDOW, type RepeatRule } from '@volley/contract';
import type { AssignedPartition } from '@volley/stream';
import type { Plan } from './core/plan.ts';
import type { Repeater } from './core/repeat.ts';
import { FIRST_GENERATION, type Generation } from './core/token.ts';
import type { Log, RowStore, Schemas } from './ports.ts';

export interface TakeoverDeps {
  readonly log: Log;
  readonly store: Pick<RowStore, 'endOf' | 'generation'>;
  readonly schemas: Schemas;
  readonly decode: (value: Buffer | null) => Decoded<DeliveryEvent>;
  readonly repeater: Repeater;
}

/** With what a partition is read on. 'over': the assignment ended meanwhile. */
export type Takeover =
  | { readonly rule: RepeatRule; readonly generation: Generation }
  | { readonly stop: string }
  | 'over';

/** What has to be known of a partition before its first record becomes a row. */
export async function takeOver(
  d: TakeoverDeps,
  assigned: AssignedPartition,
  plan: Plan | undefined,
  signal: AbortSignal,
): Promise<Takeover> {
  const { partition, committed, logEnd } = assigned;
  if (plan !== undefined && logEnd < plan.to)
    return { stop: `[${plan.from}, ${plan.to}) is planned and the log ends at ${logEnd}: it has lost records` };
  // First of all what may wait: while the tables are being exchanged nothing is asked of them, and nothing is planned.
  let generation = FIRST_GENERATION;
  const known = await d.repeater.untilDone(`tables of ${partition}`, signal, async () => {
    const answer = await d.store.generation();
    if (answer.ok) generation = answer.generation;
    return answer;
  });
  if (!known) return 'over';
  if (plan !== undefined && plan.generation !== generation)
    return {
      stop: `[${plan.from}, ${plan.to}) is planned for tables of generation ${plan.generation}, these are ${generation}`,
    };
  // Offsets expire, are set by hand, or are those of a log that was made anew: whatever lies behind what the group knows
  // of would be stored twice.
  const next = plan?.to ?? Math.max(0, committed);
  let end = 0;
  const asked = await d.repeater.untilDone(`end of ${partition}`, signal, async () => {
    const answer = await d.store.endOf(partition);
    if (answer.ok) end = answer.end;
    return answer;
  });
  if (!asked) return 'over';
  if (end > next)
    return { stop: `rows up to offset ${end - 1} are stored, and by the group's offset ${next} would come next` };
  const rule = createRepeatRule();
  return (await offerWindow(d, rule, partition, Math.max(0, committed), signal)) ? { rule, generation } : 'over';
}

/** The rule has seen the window before `next`, as far as the log has it. False: the assignment is over. */
async function offerWindow(
  d: TakeoverDeps,
  rule: RepeatRule,
  partition: number,
  next: number,
  signal: AbortSignal,
): Promise<boolean> {
  const what = `window of ${partition}`;
  let from = Math.max(0, next - REPEAT_WINDOW);
  while (from < next) {
    let needs: number | undefined;
    const read = await d.repeater.untilDone(what, signal, async () => {
      // Each time: what retention takes away meanwhile cannot be read.
      const log = await d.log.startOf(partition);
      if (!log.ok) return log;
      from = Math.max(from, Math.min(log.start, next));
      return d.log.read(partition, from, next, (record) => {
        if (needs !== undefined) return;
        const decoded = d.decode(record.value);
        if (!decoded.ok && decoded.reason === 'needs_schema') {
          needs = decoded.schemaId;
          return;
        }
        if (decoded.ok && belongsTo(decoded.value.message_id, decoded.value.campaign_id))
          rule.offer(record.offset, decoded.value);
        from = record.offset + 1;
      });
    });
    if (!read) return false;
    const id = needs;
    if (id === undefined) from = next;
    else if (!(await d.repeater.untilDone(`schema ${id}`, signal, () => d.schemas.load(id)))) return false;
  }
  return true;
}
