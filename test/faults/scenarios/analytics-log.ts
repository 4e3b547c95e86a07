import { createEncoder, type DeliveryEvent, SCHEMA_TEXTS, subjectOf } from '@volley/contract';
import type { RegistryMood } from '../../support/registry-front.ts';
import { until } from '../../support/until.ts';
import type { Family } from '../kit/scenario.ts';
import { type DatedEvent, eventsOf, type SinkAlone, withSinkAlone } from '../kit/sink-alone.ts';
import { standingOf, untilStored } from '../kit/sinks.ts';
import type { Trial } from '../kit/trial.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const REGISTRY_BACK_MS = 30_000;
const MOODS: readonly Exclude<RegistryMood, 'pass'>[] = ['refuse', 'blackhole', 'error', 'html'];

const isFull = ({ messages }: Trial) => messages >= 5_000;
const numbers = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
const startOfDay = (atMs: number) => Math.floor(atMs / DAY_MS) * DAY_MS;

/** An event under a later version of its schema: one more field, which has a default, at the end. */
async function laterEncoder(alone: SinkAlone, field: string): Promise<(event: DeliveryEvent) => Buffer> {
  const schema = JSON.parse(SCHEMA_TEXTS.DeliveryEvent) as { fields: unknown[] };
  schema.fields.push({ name: field, type: ['null', 'string'], default: null });
  const subject = subjectOf(alone.topics.deliveries, 'DeliveryEvent');
  const encode = createEncoder('DeliveryEvent', await alone.registry.register(subject, JSON.stringify(schema)));
  return (event) => Buffer.concat([encode(event), Buffer.of(0)]);
}

/** No insert was refused: each was one part, of one day. */
function nothingRefused(trial: Trial, alone: SinkAlone): void {
  const refused = alone
    .log()
    .split('\n')
    .filter((line) => line.includes('not acknowledged') && line.includes('"insert '));
  trial.must(refused.length === 0, `${refused.length} inserts were refused: ${refused[0]}`);
}

/** Kills the sink when it has stored so many more records, again and again until little is left. */
async function killEvery(trial: Trial, alone: SinkAlone, records: number, pid: () => number): Promise<void> {
  for (;;) {
    const { behind } = await standingOf(alone.reading);
    if (behind < records) return;
    await until(
      `${records} more are committed`,
      async () => (await standingOf(alone.reading)).behind <= behind - records,
      { timeoutMs: 60_000, everyMs: 5 },
    );
    const before = pid();
    process.kill(before, 'SIGKILL');
    trial.died();
    await until('it is started again', () => pid() !== before && pid() !== 0, { timeoutMs: 30_000 });
  }
}

/**
 * Outcomes of a message, some after deferrals and a redrive, and what a provider says later: in another order than it
 * happened, and some of it twice. Only what follows from a record of the log keeps its order: a redrive comes after the
 * end that it redrives.
 */
function shuffledJournal(trial: Trial, messages: number, nowMs: number): DeliveryEvent[] {
  const event = eventsOf(trial);
  const slots: { at: number; event: DeliveryEvent }[] = [];
  for (const n of numbers(1, messages + 1)) {
    const late = n % 50 === 0 ? 23 * HOUR_MS : n % 51 === 0 ? 6 * DAY_MS : trial.random(60_000);
    const say = (at: number, more: Partial<DeliveryEvent>) => {
      const one = event(n, nowMs - late + trial.random(1_000), more);
      slots.push({ at, event: one });
      // At once, or long after.
      if (trial.random(20) === 0) slots.push({ at: at + trial.random(3), event: one });
      if (trial.random(20) === 0) slots.push({ at: at + trial.random(messages), event: { ...one, attempt: 2 } });
    };
    const near = () => n + trial.random(40);
    const end = near();
    const kind = (['sent', 'sent', 'sent', 'failed', 'dead', 'expired'] as const)[n % 6] ?? 'sent';
    if (n % 4 === 0) say(near(), { kind: 'deferred', reason: 'provider_transient', tier: 'memory' });
    say(end, { kind, reason: kind === 'sent' ? '' : 'provider_refused', deferrals: n % 4 === 0 ? 1 : 0 });
    if (kind === 'failed') {
      const again = end + 1 + trial.random(40);
      say(again, { kind: 'redriven', run: 1, previous_kind: 'failed', attempt: 0 });
      say(again + 1 + trial.random(40), { kind: 'sent', run: 1 });
    }
    // Also before the provider's own answer is in the log.
    if (n % 5 === 0) say(Math.max(0, end - trial.random(30)), { kind: 'bounced', reason: 'recipient_refused' });
    if (n % 3 === 0) say(near(), { kind: 'delivered' });
  }
  return slots.sort((a, b) => a.at - b.at).map((slot) => slot.event);
}

export const ANALYTICS_LOG: Family = {
  name: 'what the log may hold',
  world: 'analytics',
  scenarios: [
    {
      id: 'F24',
      fault: 'the registry is away when the sink meets a schema that it does not know, and while it starts',
      expected:
        'other partitions are stored as before, this one waits; 0 dead letters; stored within 30 s of its return; all exact',
      injected:
        'a front before the registry: refused, silent, error 500, a page of HTML; SIGKILL of the sink meanwhile',
      short: false,
      async run(trial) {
        const { registry } = trial;
        const moods = isFull(trial) ? MOODS : MOODS.filter((mood) => mood === 'error');
        await withSinkAlone(trial, { partitions: 3 }, async (alone) => {
          const event = eventsOf(trial);
          let ordinal = 0;
          const some = (count: number) =>
            numbers(0, count).map(() => event(++ordinal, Date.now() - trial.random(1_000)));
          const each = Math.ceil(trial.messages / moods.length / 4);
          const sink = await alone.start();
          for (const mood of moods) {
            await alone.write(0, some(each));
            await untilStored(alone.reading);
            const later = await laterEncoder(alone, `${trial.tag}_${mood}`);
            await registry.set(mood);
            const [unknown] = some(1);
            if (unknown === undefined) throw new Error('no event');
            const { topics, producer } = alone;
            await producer.send([
              { topic: topics.deliveries, partition: 0, key: unknown.campaign_id, value: later(unknown) },
            ]);
            await alone.write(0, some(each));
            await alone.write(1, some(each));
            const before = await standingOf(alone.reading);
            await until('known schemas are stored', async () => {
              const { committed, ends } = await standingOf(alone.reading);
              return committed[1] === ends[1];
            });
            // It starts while nobody tells it any schema.
            const [pid, said] = [sink.pid(), alone.log().length];
            process.kill(pid, 'SIGKILL');
            trial.died();
            await until('it is started again', () => sink.pid() !== pid && sink.pid() !== 0);
            await alone.write(2, some(each));
            await until('it asks for a schema', () => /"what":"schema \d+"/.test(alone.log().slice(said)));
            const waiting = await standingOf(alone.reading);
            trial.must(
              waiting.committed[0] === before.committed[0],
              `${mood}: partition 0 went from ${before.committed[0]} to ${waiting.committed[0]} past what it does not know`,
            );
            await registry.set('pass');
            const backMs = performance.now();
            await untilStored(alone.reading, REGISTRY_BACK_MS);
            trial.recovered(performance.now() - backMs);
          }
          await alone.judge();
        });
      },
    },
    {
      id: 'F39',
      fault:
        'events come twice, in another order, and up to six days late: a bounce before the sending, a deferral after the end',
      expected:
        'each message is counted once, under the first end of its latest run; what is late is counted in its own minute',
      injected: 'a shuffled journal, a tenth of it twice; the sink dies after an insert in the middle of it',
      short: true,
      async run(trial) {
        const partitions = 4;
        await withSinkAlone(trial, { partitions }, async (alone) => {
          for (const partition of numbers(0, partitions)) {
            const journal = shuffledJournal(trial, Math.ceil(trial.messages / partitions), Date.now());
            const half = Math.ceil(journal.length / 2);
            await alone.write(partition, journal.slice(0, half));
            if (partition === 1) await alone.die('sink.afterInsert:kill:2');
            if (partition === 3) await alone.die('sink.afterPlan:kill:1');
            await alone.write(partition, journal.slice(half));
          }
          await alone.start();
          await alone.judge();
        });
      },
    },
    {
      id: 'S07',
      fault:
        'midnight lies in the middle of what is read at once, the clock of the log goes back and forth over it, and sinks die',
      expected: 'a range is of one day: no insert is refused, rows, minutes and hours exact on both sides',
      injected: 'a topic with given times; a death after each numbered step',
      short: false,
      async run(trial) {
        const partitions = 4;
        await withSinkAlone(trial, { partitions, dated: true }, async (alone) => {
          const midnightMs = startOfDay(Date.now());
          const each = Math.ceil(trial.messages / partitions);
          for (const partition of numbers(0, partitions)) {
            const event = eventsOf(trial);
            const timeOf = (n: number) => {
              const place = n / each;
              // Ten on this side, ten on the other: as after a leader whose clock is behind.
              if (place > 0.4 && place < 0.6) return midnightMs + (Math.floor(n / 10) % 2 === 0 ? -1 : 1) - (n % 2);
              return midnightMs + Math.round((place - 0.5) * 20_000);
            };
            const dated: DatedEvent[] = numbers(0, each).map((n) => ({
              event: event(n + 1, timeOf(n) - trial.random(4_000)),
              timestampMs: timeOf(n),
            }));
            await alone.writeDated(partition, dated);
          }
          for (const point of ['sink.afterPlan:kill:2', 'sink.afterInsert:kill:3', 'sink.beforeInsert:kill:4'])
            await alone.die(point);
          await alone.start();
          await alone.judge();
          nothingRefused(trial, alone);
          const [found] = await alone.db.query<{ days: number }>(
            'SELECT uniqExact(toDate(appended_at)) AS days FROM delivery_raw',
          );
          trial.must(found?.days === 2, `the rows are of ${found?.days} days: nothing was shown`);
        });
      },
    },
    {
      id: 'S08',
      fault: 'a log so slow that what is read at once is of 100 days, and a sink that is killed while it reads it',
      expected: 'an insert is of one day (more than 100 would be refused for ever): rows, minutes and hours exact',
      injected: 'a topic with given times, from 80 days ago on; SIGKILL after each tenth',
      short: false,
      async run(trial) {
        const [partitions, days] = [2, 100];
        await withSinkAlone(trial, { partitions, dated: true }, async (alone) => {
          // Rows are forgotten after 90 days.
          const firstMs = startOfDay(Date.now()) - 80 * DAY_MS;
          const aDay = Math.ceil(trial.messages / partitions / days);
          for (const partition of numbers(0, partitions)) {
            const event = eventsOf(trial);
            const times = numbers(0, days)
              .flatMap((day) => numbers(0, aDay).map(() => firstMs + day * DAY_MS + trial.random(DAY_MS)))
              .sort((a, b) => a - b);
            await alone.writeDated(
              partition,
              times.map((timestampMs, n) => ({
                event: event(n + 1, timestampMs - trial.random(HOUR_MS)),
                timestampMs,
              })),
            );
          }
          const sink = await alone.start();
          await killEvery(trial, alone, Math.ceil((partitions * days * aDay) / 10), sink.pid);
          await alone.judge();
          nothingRefused(trial, alone);
          const [found] = await alone.db.query<{ days: number }>(
            'SELECT uniqExact(toDate(appended_at)) AS days FROM delivery_raw',
          );
          trial.must(found?.days === days, `the rows are of ${found?.days} days, not ${days}`);
        });
      },
    },
    {
      id: 'S09',
      fault:
        'what a dispatcher says again lies on the other side of a takeover of the sink, or of its death in the middle of a range',
      expected: 'each repeat is stored, marked and left out of every sum, whoever stores it',
      injected:
        'events, then a takeover, then half of them again: after a stop in order, after deaths at each step, by a second sink',
      short: true,
      async run(trial) {
        const partitions = 2;
        await withSinkAlone(trial, { partitions }, async (alone) => {
          const takeovers: (() => Promise<void>)[] = [
            async () => {
              const sink = await alone.start();
              await untilStored(alone.reading);
              await sink.stop();
            },
            () => alone.die('sink.afterPlan:kill:1'),
            () => alone.die('sink.beforeInsert:kill:1'),
            () => alone.die('sink.afterInsert:kill:1'),
            async () => {
              const [first, second] = [await alone.start(0), await alone.start(1)];
              await until('the second one has some', () => alone.partitions(1).length > 0);
              process.kill(first.pid(), 'SIGKILL');
              trial.died();
              await untilStored(alone.reading);
              await first.stop();
              await second.stop();
            },
          ];
          const each = Math.ceil(trial.messages / partitions / takeovers.length);
          const events = numbers(0, partitions).map(() => eventsOf(trial));
          const said: DeliveryEvent[][] = numbers(0, partitions).map(() => []);
          for (const [round, takeOver] of takeovers.entries()) {
            for (const partition of numbers(0, partitions)) {
              const known = said[partition] as DeliveryEvent[];
              const again = known.filter(() => trial.random(2) === 0).map((event) => ({ ...event, attempt: 2 }));
              const event = events[partition] as ReturnType<typeof eventsOf>;
              const fresh = numbers(round * each, (round + 1) * each).map((n) => event(n + 1, Date.now()));
              // Between what is new, so that a range has both.
              await alone.write(
                partition,
                [...fresh, ...again].sort((a, b) => (a.ordinal % 97) - (b.ordinal % 97)),
              );
              known.push(...fresh);
            }
            await takeOver();
          }
          await alone.start();
          await alone.judge();
        });
      },
    },
  ],
};
