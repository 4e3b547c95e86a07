import { isTerminal } from '@volley/contract';

/** As docs say it: so many records before an event are looked at. */
const WINDOW = 131_072;

export interface Said {
  readonly offset: number;
  readonly messageId: string;
  readonly run: number;
  readonly kind: string;
  readonly deferrals: number;
}

/**
 * Which events of one partition repeat what was said before, in the order of the log. Written again from the table of the
 * contract, over plain maps and with all of the window in memory: what the services say is judged by it.
 */
export function createRepeats(): (event: Said) => boolean {
  const lastAt = new Map<string, number>();
  return ({ offset, messageId, run, kind, deferrals }) => {
    const said = (what: string, inRun: number) => {
      const at = lastAt.get(`${messageId} ${inRun} ${what}`);
      return at !== undefined && offset - at <= WINDOW;
    };
    const over = said('end', run) || said('redriven', run + 1);
    let what: string | undefined;
    let repeat = false;
    if (isTerminal(kind)) {
      what = 'end';
      repeat = over;
    } else if (kind === 'deferred') {
      repeat = over || (deferrals === 0 && said('deferred', run));
      if (deferrals === 0) what = 'deferred';
    } else if (kind === 'redriven') {
      what = 'redriven';
      repeat = over || said('redriven', run) || said('deferred', run);
    }
    if (what !== undefined) lastAt.set(`${messageId} ${run} ${what}`, offset);
    return repeat;
  };
}

/** Events of any partitions, each with whether it repeats. */
export function marked<T extends Said & { readonly partition: number }>(
  events: readonly T[],
): { readonly event: T; readonly isRepeat: boolean }[] {
  const rules = new Map<number, ReturnType<typeof createRepeats>>();
  return events
    .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map((event) => {
      const rule = rules.get(event.partition) ?? createRepeats();
      rules.set(event.partition, rule);
      return { event, isRepeat: rule(event) };
    });
}
