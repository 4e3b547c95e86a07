import type { PipelineView } from '../api/types.ts';
import { formatCount, formatTime } from '../format.ts';
import { wholeSeconds } from './age.ts';
import { closedIn, nameOfQueue } from './names.ts';

/** Something on the way to the recipients that is not as it should be. */
export interface Trouble {
  readonly level: 'warn' | 'bad';
  /** Does not change while it lasts, so that a screen reader says it once. */
  readonly what: string;
  /** The figures. */
  readonly detail: string;
}

// The same bounds as the alerts have: dashboards/src/alerts.ts.
const UNSENT_MS = 600_000;
const BEHIND_MS = 30_000;
/** Whoever has been gone for longer is missed only where nobody has taken over. */
const RECENTLY_MS = 600_000;

const plural = (count: number, one: string, many: string): string =>
  count === 1 ? one : `${formatCount(count)} ${many}`;

function ofDispatchers(view: PipelineView): Trouble[] {
  const { dispatchers, queues } = view;
  if (dispatchers === null) return [];
  const alive = dispatchers.filter((each) => each.alive);
  if (alive.length === 0)
    return [
      {
        level: 'bad',
        what: 'No dispatcher is alive',
        detail: 'nothing is sent until one is started; nothing is lost meanwhile',
      },
    ];
  const out: Trouble[] = [];
  // Every queue has the same partition numbers, and whoever owns a number owns it in all of them.
  const unowned = (queues?.[0]?.partitions ?? []).filter((each) => each.owner === null);
  for (const { id, seen_ms_ago } of dispatchers.filter((each) => !each.alive && each.seen_ms_ago < RECENTLY_MS))
    out.push({
      level: unowned.length > 0 ? 'bad' : 'warn',
      what: `Dispatcher ${closedIn(id)} is not alive`,
      detail: `not seen for ${wholeSeconds(seen_ms_ago)}${unowned.length > 0 ? '' : ', others have its partitions'}`,
    });
  if (unowned.length > 0)
    out.push({
      level: 'bad',
      what: 'Partitions have no dispatcher',
      detail: `${plural(unowned.length, 'one partition waits', 'partitions wait')} until a dispatcher takes over`,
    });
  return out;
}

/** From here on breakers are counted: each host of a webhook has its own, in every dispatcher. */
const MANY_BREAKERS = 5;

function ofBreakers(breakers: NonNullable<PipelineView['breakers']>): Trouble[] {
  if (breakers.length > MANY_BREAKERS) {
    const open = breakers.filter((each) => each.state === 'open').length;
    const trying = breakers.length - open;
    const providers = [...new Set(breakers.map((each) => each.provider))];
    const named = providers.slice(0, 3).map(closedIn).join(', ');
    return [
      {
        level: 'bad',
        what: 'Many breakers are not closed',
        detail: `${formatCount(open)} open, ${formatCount(trying)} trying whether it goes again, of ${named}${
          providers.length > 3 ? ` and ${formatCount(providers.length - 3)} more providers` : ''
        }`,
      },
    ];
  }
  const out: Trouble[] = [];
  for (const { provider, host, state, probe_at } of breakers) {
    const whose = `${closedIn(provider)}${host === null ? '' : ` (${closedIn(host)})`}`;
    out.push({
      level: 'bad',
      what: `The breaker of ${whose} is ${state}`,
      detail: state === 'open' ? `tried again at ${formatTime(probe_at)}` : 'one message tries whether it takes more',
    });
  }
  return out;
}

function ofProviders(view: PipelineView): Trouble[] {
  const out: Trouble[] = ofBreakers(view.breakers ?? []);
  const blocked = new Map<string, string>();
  for (const dispatcher of view.dispatchers ?? [])
    for (const { provider, blocked_until } of dispatcher.alive ? dispatcher.providers : [])
      if (blocked_until !== null && blocked_until > view.as_of) blocked.set(provider, blocked_until);
  for (const [provider, until] of blocked)
    out.push({
      level: 'warn',
      what: `${closedIn(provider)} asked to be left alone`,
      detail: `until ${formatTime(until)}`,
    });
  return out;
}

/** What is not well, worst first; of the figures of one answer and nothing else. */
export function troublesOf(view: PipelineView): Trouble[] {
  const out: Trouble[] = [...ofDispatchers(view), ...ofProviders(view)];
  // In tiers and in held, waiting is what is wanted.
  for (const queue of view.queues ?? [])
    if (queue.kind === 'lane' && (queue.age_ms ?? 0) > UNSENT_MS)
      out.push({
        level: 'bad',
        what: `Messages wait in ${nameOfQueue(queue)}`,
        detail: `${formatCount(queue.lag)} of them, the oldest for ${wholeSeconds(queue.age_ms ?? 0)}`,
      });
  const behind = (what: string, reader: PipelineView['sink']) => {
    if (reader !== null && (reader.age_ms ?? 0) > BEHIND_MS)
      out.push({ level: 'bad', what, detail: `by ${wholeSeconds(reader.age_ms ?? 0)}` });
  };
  behind('Statistics and lists are behind', view.sink);
  behind('The progress of campaigns is behind', view.progress);
  if (view.dead_letters !== null && view.dead_letters.deliveries > 0)
    out.push({
      level: 'warn',
      what: 'Delivery events could not be stored',
      detail: `${formatCount(view.dead_letters.deliveries)} are in their dead-letter topic`,
    });
  const why = new Map<string, string[]>();
  for (const { part, detail } of view.unavailable) why.set(detail, [...(why.get(detail) ?? []), part]);
  for (const [detail, parts] of why)
    out.push({
      level: 'bad',
      what: `Not known: ${parts.map((part) => part.replaceAll('_', ' ')).join(', ')}`,
      detail,
    });
  return out.sort((a, b) => Number(a.level === 'warn') - Number(b.level === 'warn'));
}

/** What "all is well" says, in figures. */
export function wellOf(view: PipelineView): string {
  const alive = view.dispatchers?.filter((each) => each.alive).length ?? 0;
  const waiting = (view.queues ?? []).filter((each) => each.kind === 'lane').reduce((sum, each) => sum + each.lag, 0);
  const oldest = Math.max(0, ...(view.queues ?? []).map((each) => (each.kind === 'lane' ? (each.age_ms ?? 0) : 0)));
  const lanes =
    waiting === 0
      ? 'nothing waits in the lanes'
      : `${plural(waiting, 'one message is', 'messages are')} on the way, the oldest for ${wholeSeconds(oldest)}`;
  return `${plural(alive, 'one dispatcher is', 'dispatchers are')} alive, no breaker is open, ${lanes}, statistics are up to date.`;
}
