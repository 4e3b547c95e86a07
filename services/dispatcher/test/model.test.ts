import { type CampaignEvent, type DeliveryEvent, isTerminal, type Message } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  topics,
  until,
  type World,
} from './support.ts';

const SLOTS = 4;
const CAMPAIGNS = 2;
const RECIPIENTS = 3;
const PARTITIONS = 3;

/** How the provider takes a message: fails so often, then sends or refuses. One that fails often goes through tiers. */
interface Fate {
  readonly fails: number;
  readonly end: 'sent' | 'failed';
}

type Step =
  | { readonly do: 'deliver'; readonly campaign: number; readonly fates: readonly Fate[] }
  | { readonly do: 'pause' | 'resume' | 'cancel'; readonly campaign: number }
  | { readonly do: 'kill' | 'stop' | 'join'; readonly which: number }
  /** All that its campaign has had comes again, through the other lane. */
  | { readonly do: 'repeat'; readonly campaign: number }
  | { readonly do: 'breathe' | 'outage' };

const fate = fc.record<Fate>({
  fails: fc.constantFrom(0, 0, 0, 1, 2, 3),
  end: fc.constantFrom('sent', 'sent', 'failed'),
});
const campaign = fc.nat({ max: CAMPAIGNS - 1 });
const which = fc.nat({ max: 1 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('deliver' as const),
        campaign,
        fates: fc.array(fate, { minLength: 1, maxLength: 8 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const), campaign }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), campaign }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'stop' as const, 'join' as const), which }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), campaign }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('breathe' as const, 'breathe' as const, 'outage' as const) }),
    },
  ),
  { minLength: 4, maxLength: 16 },
);

type Dispatcher = Awaited<ReturnType<typeof startDispatcher>>;

/** Two dispatchers over one log, and what may happen to them and to their campaigns. */
async function runOf(world: World, plan: readonly Step[]) {
  const ids = Array.from({ length: CAMPAIGNS }, newCampaignId);
  const versions = ids.map(() => 0);
  const status = ids.map(() => '');
  const fates = new Map<string, Fate>();
  const delivered = ids.map((): Message[] => []);
  const ordinals = ids.map(() => 0);
  let [takeovers, slow, names] = [0, 0, 0];
  const channel = recordingChannel(async (m, attempt) => {
    // Calls that take a turn or two, so that some are under way when something happens.
    for (let i = ++slow % 4; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
    const { fails, end } = fates.get(m.messageId) as Fate;
    if (attempt <= fails) return { ok: false, failure: { protocol: 'http', status: 500, detail: '' } };
    return end === 'sent'
      ? { ok: true, detail: '' }
      : { ok: false, failure: { protocol: 'http', status: 410, detail: '' } };
  });
  const running: Dispatcher[] = [];
  const dead: Dispatcher[] = [];

  const join = async () => {
    const clientId = `d${names++}`;
    // What the other one has under way in partitions that move is begun again here.
    if (running.length > 0) takeovers += 1;
    const policy = { memoryAttempts: 2 };
    running.push(
      await startDispatcher(world, {
        clientId,
        channel,
        slots: SLOTS,
        policy,
        delaysMs: [8, 12, 16, 20],
        pauseGraceMs: 2,
        retryBaseMs: 2,
      }),
    );
  };
  const become = async (c: number, next: 'running' | 'paused' | 'cancelling') => {
    if (status[c] === 'cancelling' || status[c] === next) return;
    status[c] = next;
    versions[c] = (versions[c] as number) + 1;
    const event: Partial<CampaignEvent> = { version: versions[c] as number, status: next };
    await world.campaign(campaignEvent(ids[c] as string, event));
  };
  const leave = async (one: Dispatcher, kill: boolean) => {
    running.splice(running.indexOf(one), 1);
    if (kill) {
      takeovers += 1;
      one.crash();
      await one.noticed();
      dead.push(one);
    } else await one.stop();
  };

  for (const c of ids.keys()) await become(c, 'running');
  await join();
  for (const step of plan) {
    if (step.do === 'deliver') {
      const messages = step.fates.map((of) => {
        const ordinal = (ordinals[step.campaign] as number) + 1;
        ordinals[step.campaign] = ordinal;
        const m = messageOf(ids[step.campaign] as string, ordinal, {
          recipient: `r${ordinal % RECIPIENTS}@example.org`,
        });
        fates.set(m.message_id, of);
        return m;
      });
      delivered[step.campaign]?.push(...messages);
      await world.messages(step.campaign % PARTITIONS, messages);
    } else if (step.do === 'repeat') {
      const copies = (delivered[step.campaign] ?? []).map((m): Message => ({ ...m, lane: 'transactional' }));
      await world.messages(step.campaign % PARTITIONS, copies, { topic: topics.messages.transactional });
    } else if (step.do === 'pause') await become(step.campaign, 'paused');
    else if (step.do === 'resume') await become(step.campaign, 'running');
    else if (step.do === 'cancel') await become(step.campaign, 'cancelling');
    else if (step.do === 'join') {
      if (running.length < 2) await join();
    } else if (step.do === 'breathe') await new Promise((resolve) => setTimeout(resolve, 5));
    else if (step.do === 'outage') {
      world.broker.setAvailable(false);
      await new Promise((resolve) => setTimeout(resolve, 5));
      world.broker.setAvailable(true);
    } else if ('which' in step) {
      const one = running[step.which % Math.max(1, running.length)];
      if (one !== undefined) await leave(one, step.do === 'kill');
    }
  }
  for (const c of ids.keys()) await become(c, 'running');
  if (running.length === 0) await join();
  await until(() => world.allSettled(), 20_000);
  const events = (await world.events()).map(({ event }) => event);
  const fatal = running.flatMap((d) => d.fatal);
  for (const d of running) await d.stop();
  const sent = [...channel.sent];
  for (const d of dead) await d.discard();
  return { fates, events, sent, takeovers, fatal, cancelled: ids.filter((_, c) => status[c] === 'cancelling') };
}

test('whatever happens to dispatchers and campaigns: one end a message, few doubles, order to a recipient', async (t) => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const { fates, events, sent, takeovers, fatal, cancelled } = await runOf(await createWorld(), plan);
      const ends = Map.groupBy(
        events.filter((e) => isTerminal(e.kind)),
        (e: DeliveryEvent) => e.message_id,
      );
      t.deepEqual(fatal, []);
      t.deepEqual([...ends.keys()].sort(), [...fates.keys()].sort(), 'each message has ended');
      for (const [id, [first]] of ends) {
        // What counts is the first one in the log.
        const wasCancelled = first?.kind === 'cancelled' && cancelled.includes(first.campaign_id);
        if (!wasCancelled) t.is(first?.kind, (fates.get(id) as Fate).end);
      }
      const repeats = [...ends.values()].reduce((sum, of) => sum + of.length - 1, 0);
      t.true(repeats <= takeovers * SLOTS, `${repeats} ends twice, ${takeovers} takeovers`);
      const attempts = Map.groupBy(sent, (s) => `${s.message.messageId} ${s.attempt}`);
      const doubles = [...attempts.values()].reduce((sum, calls) => sum + calls.length - 1, 0);
      t.true(doubles <= takeovers * SLOTS, `${doubles} attempts twice, ${takeovers} takeovers`);

      // First attempts to one recipient are in the order of the log, until one of them went through a tier or held.
      const moved = new Set(
        events.filter((e) => e.kind === 'deferred' && e.tier !== 'memory').map((e) => e.message_id),
      );
      const lasts = new Map<string, number>();
      const seen = new Set<string>();
      for (const { message, attempt } of sent) {
        const { messageId, campaignId, recipient } = message;
        if (attempt > 1 || moved.has(messageId) || seen.has(messageId)) continue;
        seen.add(messageId);
        const key = `${campaignId} ${recipient}`;
        const ordinal = Number.parseInt(messageId.slice(-8), 16);
        t.true(ordinal > (lasts.get(key) ?? 0), 'order to a recipient');
        lasts.set(key, ordinal);
      }
    }),
    { numRuns: 25, interruptAfterTimeLimit: 20_000, endOnFailure: true },
  );
});
