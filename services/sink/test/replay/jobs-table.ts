import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { REPLAY_JOB_SQL, type ReplayJob, type ReplayOptions } from '@volley/contract/replays';
import pg from 'pg';
import type { Result } from '../../src/replay-job.ts';
import { until } from '../support.ts';

const JOBS = fileURLToPath(new URL('../../../ingest-api/sql/0009_replays.sql', import.meta.url));

export type Job = ReplayJob & { readonly result: Result | null };
type Requested = 'pause_requested' | 'cancel_requested' | 'undo_requested';

/** The table of replays in a database of its own. */
export interface JobsTable {
  readonly url: string;
  ask(
    ranges: ReplayJob['ranges'],
    options?: Partial<ReplayOptions>,
    more?: { rate?: number; campaignId?: string },
  ): Promise<string>;
  job(id: string): Promise<Job>;
  request(id: string, what: Requested): Promise<void>;
  resume(id: string): Promise<void>;
  /** A process that was killed is taken for dead at once. */
  endLeases(): Promise<void>;
  ended(id: string, withinMs?: number): Promise<Job>;
  drop(): Promise<void>;
}

export async function openJobsTable(): Promise<JobsTable> {
  const given = process.env.VOLLEY_TEST_POSTGRES;
  if (!given) throw new Error('VOLLEY_TEST_POSTGRES is not set: run the tests with `npm test`');
  const server = new pg.Client({ connectionString: given });
  await server.connect();
  const name = `sink_replays_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await server.query(`CREATE DATABASE ${name}`);
  const own = new URL(given);
  own.pathname = `/${name}`;
  const store = new pg.Pool({ connectionString: own.href, max: 2 });
  // A pool has ended before its connections have: the server may still end one when the database is dropped.
  store.on('connect', (client) => client.on('error', () => {}));
  store.on('error', () => {});
  await store.query(readFileSync(JOBS, 'utf8'));

  const job = async (id: string): Promise<Job> => {
    const { rows } = await store.query(`SELECT ${REPLAY_JOB_SQL} FROM replays WHERE replay_id = $1`, [id]);
    return rows[0].job as Job;
  };
  return {
    url: own.href,
    async ask(ranges, options = {}, { rate, campaignId } = {}) {
      const id = randomUUID();
      const all = { allow_gap: false, swap: 'if_equal', send: false, ...options };
      const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
      await store.query(
        `INSERT INTO replays (replay_id, tenant_id, target, reason_text, asked_by, campaign_id, rate_per_second, options, ranges, total, created_at)
         VALUES ($1, 'default', 'analytics', 'a test', 'test', $2, $3, $4, $5, $6, now())`,
        [id, campaignId ?? null, rate ?? null, JSON.stringify(all), JSON.stringify(ranges), total],
      );
      return id;
    },
    job,
    async request(id, what) {
      await store.query(`UPDATE replays SET ${what} = true WHERE replay_id = $1`, [id]);
    },
    async resume(id) {
      await store.query(`UPDATE replays SET status = 'pending', pause_requested = false WHERE replay_id = $1`, [id]);
    },
    async endLeases() {
      await store.query(`UPDATE replays SET lease_until = now() - interval '1 s'`);
    },
    async ended(id, withinMs = 120_000) {
      let last: Job | undefined;
      const isOver = async () => {
        last = await job(id);
        return ['done', 'failed', 'cancelled'].includes(last.status) && !last.undo_requested;
      };
      await until(`replay ${id} ends`, isOver, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(last)}`);
      });
      return last as Job;
    },
    async drop() {
      await store.end();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.end();
    },
  };
}
