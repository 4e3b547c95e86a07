import test from 'ava';
import { createBreakers } from '../src/adapters/breakers.ts';
import type { CampaignState } from '../src/core/campaign-book.ts';
import { createDueHeap } from '../src/core/due-heap.ts';
import type { Health } from '../src/core/health.ts';
import { createLimits, type Permit, type ProviderLimits } from '../src/core/limits.ts';

/** A hundred destinations of one webhook provider, 1,000 messages a second in turn, 20 ms an answer, 64 calls at once. */
const HOSTS = 100;
const PER_SECOND = 1_000;
const ANSWER_MS = 20;
const SECONDS = 30;
const PROVIDER: ProviderLimits = { name: 'hooks', concurrency: 64, ratePerSecond: undefined };
const CAMPAIGN = { campaignId: 'c', tenantId: 'default', ratePerSecond: undefined } as CampaignState;
/** What is held this long goes to a retry tier. */
const STAND_MS = 10_000;

interface Outcome {
  readonly afterMs: number;
  readonly health: Health;
}
const HEALTHY: Outcome = { afterMs: ANSWER_MS, health: 'answered' };

type Event = { message: Message } | { landed: Message; permit: Permit; health: Health } | { look: true };
interface Message {
  readonly host: number;
  readonly bornMs: number;
}

/** Simulated time. Answers the 95th percentile from arrival to answer of all destinations but the first. */
async function p95OfOthers(first: Outcome, protect: boolean): Promise<number> {
  const breakers = createBreakers({ random: () => 0.5 });
  const limits = createLimits({ slots: 512, breakers });
  const events = createDueHeap<Event>();
  const took: number[] = [];
  let ready: Message[] = [];
  const aside = new Map<string, Message[]>();
  const wake = (on: string) => {
    ready.push(...(aside.get(on) ?? []));
    aside.delete(on);
  };
  breakers.onChange(wake);
  for (let i = 0; i < SECONDS * PER_SECOND; i++)
    events.push((i * 1_000) / PER_SECOND, { message: { host: i % HOSTS, bornMs: (i * 1_000) / PER_SECOND } });

  const startWhatMayStart = (nowMs: number) => {
    const queue = ready;
    ready = [];
    for (const [i, message] of queue.entries()) {
      if (nowMs - message.bornMs > STAND_MS) continue;
      const destination = protect ? `h${message.host}.example` : '';
      const hold = limits.hold(CAMPAIGN, PROVIDER, nowMs, destination);
      if (hold?.scope === 'campaign') {
        ready.push(...queue.slice(i));
        if (Number.isFinite(hold.untilMs)) events.push(hold.untilMs, { look: true });
        return;
      }
      if (hold !== undefined) {
        const waiting = aside.get(hold.on);
        if (waiting === undefined) aside.set(hold.on, [message]);
        else waiting.push(message);
        if (Number.isFinite(hold.untilMs)) events.push(hold.untilMs, { look: true });
        continue;
      }
      const permit = limits.take(CAMPAIGN, PROVIDER, nowMs, destination);
      const { afterMs, health } = message.host === 0 ? first : HEALTHY;
      events.push(nowMs + afterMs, { landed: message, permit, health });
    }
  };

  for (let nowMs = events.firstMs(); nowMs < SECONDS * 1_000; nowMs = events.firstMs()) {
    for (let event = events.popDue(nowMs); event !== undefined; event = events.popDue(nowMs)) {
      if ('message' in event) ready.push(event.message);
      else if ('landed' in event) {
        for (const on of limits.release(event.permit, event.health, nowMs)) wake(on);
        if (event.landed.host !== 0) took.push(nowMs - event.landed.bornMs);
        // A change of a breaker comes some microtasks later.
        if (event.health !== 'answered' || breakers.open().length > 0)
          await new Promise((resolve) => setImmediate(resolve));
      } else for (const on of [...aside.keys()].filter((name) => name.startsWith('breaker:'))) wake(on);
    }
    startWhatMayStart(nowMs);
  }
  took.sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.95)] as number;
}

const BAD: [title: string, outcome: Outcome][] = [
  ['never answers', { afterMs: 8_000, health: 'silent' }],
  ['is not there', { afterMs: 3_000, health: 'silent' }],
  ['answers after 5 s', { afterMs: 5_000, health: 'answered' }],
  ['fails after 2 s', { afterMs: 2_000, health: 'erring' }],
];
for (const [title, outcome] of BAD) {
  test(`one of a hundred destinations ${title}: the others’ p95 stays within 1.2 times`, async (t) => {
    const healthy = await p95OfOthers(HEALTHY, true);
    const beside = await p95OfOthers(outcome, true);
    t.is(healthy, ANSWER_MS);
    t.true(beside <= healthy * 1.2, `${beside} ms beside ${healthy} ms`);
  });
}

test('without a limit for each destination one that never answers takes all calls from the others', async (t) => {
  t.true((await p95OfOthers({ afterMs: 8_000, health: 'answered' }, false)) > 1_000);
});
