import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { draft } from '../../support/faults.ts';
import { boundOf } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { ownership, partitionOfCampaign, untilShared, withDispatcher } from '../kit/dispatchers.ts';
import { sendSurely, underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import { lasting, sendingOf, sideBySide } from '../kit/side-by-side.ts';
import { mountSmallDisk } from '../kit/small-disk.ts';
import { SLOTS } from '../kit/world.ts';

const EXHAUSTED_MS = 6_000;
const CAMPAIGNS = 6;

/** Lets the process open nothing more but in place of what it closes; answers how to undo it. It keeps what it has. */
function exhaust(pid: number): () => void {
  const limits = execFileSync('prlimit', ['--pid', String(pid), '--nofile', '--noheadings', '--output', 'SOFT'])
    .toString()
    .trim();
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  const set = (soft: string) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`]);
  // A new descriptor gets the lowest number that is free: at that number nothing more can be opened.
  let lowest = 0;
  while (open.has(lowest)) lowest += 1;
  set(String(lowest));
  return () => {
    if (existsSync(`/proc/${pid}`)) set(limits);
  };
}

export const DESCRIPTORS: Family = {
  name: 'descriptors and logs',
  world: 'sending',
  scenarios: [
    {
      id: 'F42',
      fault: 'the dispatcher can open no file and no connection any more',
      expected:
        'it lives, what needs no new connection goes on, readiness is not green; then it recovers; 0 lost, nothing twice',
      injected: `prlimit of the running process to what it has open, for ${EXHAUSTED_MS / 1_000} s; providers that close every connection`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const { hooks } = sendingOf(trial);
        let exhausted = 0;
        const [webhooks] = await sideBySide(
          trial,
          { halves: [{ provider: 'hooks' }, { provider: 'mail' }], lastsS: 15 },
          async () => {
            const before = p.pid('dispatcher');
            const heal = exhaust(before);
            try {
              hooks.setMood({ share: 0.5, answer: 'reset' });
              await until('it answers ready no more', async () => (await p.readiness('dispatcher'))?.ready !== true, {
                timeoutMs: 20_000,
              });
              await lasting(EXHAUSTED_MS);
              exhausted = p.logTail('dispatcher', 500).split('EMFILE').length - 1;
              trial.must(p.pid('dispatcher') === before, 'it died of it');
            } finally {
              hooks.setMood({});
              heal();
            }
            const atMs = Date.now();
            await until('it is ready again', async () => (await p.readiness('dispatcher'))?.ready === true);
            const from = hooks.entries.length;
            await until('webhooks arrive again', () => hooks.entries.length > from, { timeoutMs: 60_000 });
            trial.recovered(Date.now() - atMs);
            trial.must(p.pid('dispatcher') === before, 'it died of it');
          },
        );
        trial.note(`${webhooks.stats.sent} of ${webhooks.expected} webhooks sent, EMFILE logged ${exhausted} times`);
      },
    },
    {
      id: 'F42',
      fault: 'ingest-api can open no file and no connection any more',
      expected:
        'it lives and answers nobody new, delivery goes on; then it recovers within 10 s; 0 lost, nothing twice',
      injected: `prlimit of the running process to what it has open, for ${EXHAUSTED_MS / 1_000} s, under new connections`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const options = { perSecond: trial.messages / 10, campaigns: CAMPAIGNS, campaign: { provider: 'steady' } };
        const campaigns = await underLoad(trial, options, async (load) => {
          const before = p.pid('ingest-api');
          const heal = exhaust(before);
          let refused = 0;
          try {
            const untilMs = performance.now() + EXHAUSTED_MS;
            while (performance.now() < untilMs) {
              const calls = Array.from({ length: 50 }, () =>
                fetch(`${p.platform.describe().api}/v1/campaigns?limit=1`, {
                  headers: { connection: 'close', authorization: `Bearer ${p.platform.describe().api_key}` },
                  signal: AbortSignal.timeout(2_000),
                }).then(
                  (answer) => (answer.status >= 500 ? 1 : 0),
                  () => 1,
                ),
              );
              refused += (await Promise.all(calls)).reduce((sum, n) => sum + n, 0);
              await lasting(100);
            }
          } finally {
            heal();
          }
          trial.must(refused > 0, 'every call was answered: nothing was shown');
          const atMs = Date.now();
          await until('it answers', async () => (await p.api.call('GET', '/v1/campaigns?limit=1')).status === 200);
          await until('it is ready', async () => (await p.readiness('ingest-api'))?.ready === true);
          trial.recovered(Date.now() - atMs);
          trial.must(Date.now() - atMs < 10_000, `it took ${Date.now() - atMs} ms to recover`);
          trial.must(p.pid('ingest-api') === before, 'it died of it');
          trial.note(`${refused} calls were not answered`);
          await load.untilDelivered(atMs);
        });
        await trial.judgeAll(campaigns);
      },
    },
    {
      id: 'F42',
      fault: 'the disk with the dispatcher’s log is full',
      expected: `lines are lost and nothing else: it delivers, and starts again; 0 lost, at most C (${SLOTS}) sent twice for the kill`,
      injected: 'a tmpfs filled under the log of one of two dispatchers, then SIGKILL of that one',
      short: false,
      async run(trial) {
        const folder = mkdtempSync(join(tmpdir(), 'volley-full-log-'));
        const disk = mountSmallDisk(join(folder, 'disk'));
        try {
          const how = { logFile: join(disk.folder, 'dispatcher.log'), env: { VOLLEY_LOG_LEVEL: 'trace' } };
          await withDispatcher(
            trial,
            1,
            async (extra) => {
              await untilShared(trial, [0, 1]);
              const options = {
                perSecond: trial.messages / 15,
                campaigns: CAMPAIGNS,
                campaign: { provider: 'steady' },
              };
              const campaigns = await underLoad(trial, options, async (load) => {
                const before = extra.pid();
                disk.fill();
                const its = new Set((await ownership(trial)).get(1));
                const there = load.sent.filter(({ id }) => its.has(partitionOfCampaign(id))).map(({ id }) => id);
                const prefixes = new Set(there.map((id) => id.slice(0, 18)));
                const countOf = () => trial.receipts().filter((r) => prefixes.has(r.messageId.slice(0, 18))).length;
                const from = countOf();
                if (prefixes.size > 0) await until('it delivers', () => countOf() > from + 20, { timeoutMs: 60_000 });
                await lasting(3_000);
                trial.must(extra.pid() === before, 'it died of the full disk');
                process.kill(before, 'SIGKILL');
                trial.died();
                const atMs = Date.now();
                await until('it is ready again', async () => extra.pid() !== before && (await isReady(extra.admin)), {
                  timeoutMs: 60_000,
                });
                await untilShared(trial, [0, 1]);
                trial.recovered(await load.untilDelivered(atMs));
                const restarted = extra.pid();
                const last = await draft(trial.p, `${trial.tag}last`, { count: 100, campaign: { provider: 'steady' } });
                await sendSurely(trial, last.id);
                await trial.p.api.untilEnded(last.id);
                trial.must(extra.pid() === restarted, 'it dies again and again');
                disk.free();
              });
              await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: 1, slots: SLOTS }) });
            },
            how,
          );
        } finally {
          await disk.unmount();
          rmSync(folder, { recursive: true, force: true });
        }
      },
    },
  ],
};

const isReady = async (admin: string) => (await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
