import test from 'ava';
import pg from 'pg';
import type { ServiceName } from '../../apps/cli/src/platform.ts';
import { draft, finish, MESSAGES, summary } from '../support/faults.ts';
import type { Allowance } from '../support/history.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';

let p: TestPlatform;
let db: pg.Client;
test.before(async () => {
  // A low backlog mark makes fan-out write in several batches, so that a crash can fall between two of them.
  p = await startTestPlatform('failpoints', {
    env: { VOLLEY_FANOUT_BACKLOG_MARK: '500', VOLLEY_CONCURRENCY: '128' },
    providers: [
      { name: 'simulated', channel: 'simulated', url: 'simulated:' },
      { name: 'steady', channel: 'simulated', url: 'simulated:?transient=0' },
    ],
  });
  db = new pg.Client({ connectionString: p.stores.postgres });
  await db.connect();
});
test.after.always(async () => {
  await db?.end();
  await p?.stop();
});

/** One in twenty is refused, so that dead letters are on their way when the process dies. */
const REFUSED = MESSAGES / 20;
const script = (n: number) => (n % 20 === 0 ? 'refuse' : '');

/**
 * Dispatchers die in the second half of a campaign of 2 s, after commits: a watermark that had passed something unwritten
 * would have lost it. (A kill before the first commit repeats everything, and forgives any order of effects; so do
 * retries in memory, which hold the watermark back: their provider has none.)
 */
const RATE = 1_000;
const LATE = 1_500;
/** C: what was in flight when it died. What had its event before that the next owner finds in the ledger. */
const SLOTS = 128;
const AGAIN = { duplicateSends: SLOTS, doubledEvents: SLOTS, doubledDeadLetters: SLOTS };

interface Point {
  readonly service: ServiceName;
  readonly point: string;
  readonly campaign?: Readonly<Record<string, unknown>>;
  readonly allowed: Partial<Allowance>;
  readonly says: string;
}

const inDispatcher = (name: string, hit: number): Point => ({
  service: 'dispatcher',
  point: `${name}:kill:${hit}`,
  campaign: { rate_per_second: RATE, provider: 'steady' },
  allowed: AGAIN,
  says: 'repeats are counted',
});

/** The sink's: F32. */
const POINTS: readonly Point[] = [
  { service: 'ingest-api', point: 'relay.afterAck:kill', allowed: {}, says: 'nothing is doubled but the event' },
  { service: 'ingest-api', point: 'fanout.afterAck:kill:2', allowed: {}, says: 'no message is written twice' },
  { service: 'ingest-api', point: 'progress.beforeCommit:kill', allowed: {}, says: 'nothing is counted twice' },
  inDispatcher('dispatch.beforeSend', LATE),
  inDispatcher('dispatch.afterAccept', LATE),
  inDispatcher('dispatch.afterDlq', (LATE / MESSAGES) * REFUSED),
  inDispatcher('dispatch.afterEvent', LATE),
];

for (const { service, point, campaign = {}, allowed, says } of POINTS) {
  test.serial(`death at ${point}: nothing is lost, ${says}`, async (t) => {
    const tag = point.replaceAll(/[^a-zA-Z]/g, '-').toLowerCase();
    const running = await draft(p, tag, { script, campaign });
    // What is still to be published would meet the failpoint while the service starts, before the campaign is sent.
    await until('the draft is published', async () => {
      const { rows } = await db.query('SELECT 1 FROM campaigns WHERE version > published_version');
      return rows.length === 0;
    });
    const armed = await p.arm(service, point);
    // The answer may be lost with the process, never the campaign: the command is repeated until it was taken.
    await until('the campaign is sent', async () => {
      const { status } = await p.api.command(running.id, 'send');
      return status === 202 || status === 409;
    });
    await until(`${service} died at ${point}`, () => p.pid(service) !== armed, { seen: () => p.logTail(service, 5) });
    await p.untilRestarted(service, armed);
    const verdict = await finish(p, running, allowed);
    t.deepEqual(verdict.problems, []);
    t.like(verdict.states, { sent: MESSAGES - REFUSED, failed: REFUSED });
    t.log(`${point}: ${summary(verdict)}`);
  });
}
