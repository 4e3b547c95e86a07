import { createMetrics } from '@volley/runtime';
import test from 'ava';
import type { AuditRun, AuditStore } from '../src/audit-ports.ts';
import { type AuditRoleDeps, createAuditRole } from '../src/audit-role.ts';
import { metricCatalogue } from '../src/metrics.ts';
import type { Leases, Round } from '../src/ports.ts';
import { away, isOutage, quietStore } from './support/audit.ts';
import { silent } from './support/log.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-11-21T03:00:00Z');

/** A store that remembers its runs, and campaigns that are due until they are checked. */
function world(o: { due?: string[]; change?: Partial<AuditRoleDeps>; check?: AuditRoleDeps['auditor']['check'] } = {}) {
  const { m: metric, registry } = createMetrics(metricCatalogue, false);
  let ms = START;
  let held = true;
  const due = [...(o.due ?? [])];
  const runs: AuditRun[] = [];
  const checked: string[] = [];
  let differences: Record<string, number> = {};
  const store: AuditStore = {
    ...quietStore,
    due: async ({ limit }) => ({ campaignIds: due.slice(0, limit), due: due.length }),
    lastRun: async () => runs.at(-1),
    async beginRun(startedAtMs) {
      const run = { startedAtMs, finishedAtMs: null, checked: 0, failed: 0, left: 0, partitions: null };
      runs.push({ runId: runs.length + 1, ...run });
      return runs.at(-1) as AuditRun;
    },
    async saveRun(run) {
      runs[runs.findIndex((r) => r.runId === run.runId)] = run;
    },
    async lastFound() {
      const { partitions = null } = runs.findLast((run) => run.partitions !== null) ?? {};
      const complete = runs.findLast((run) => run.finishedAtMs !== null && run.partitions !== null && run.failed === 0);
      return { partitions, completeAtMs: complete?.finishedAtMs ?? null };
    },
    summary: async () => ({ ...(await quietStore.summary()), differences }),
  };
  const leases: Leases = {
    hold: async () => (held ? { fence: 1, valid: () => true } : undefined),
    release: async () => {},
  };
  const auditor: AuditRoleDeps['auditor'] = {
    async check(id, how) {
      const audit = o.check ? await o.check(id, how) : ({ verdict: 'equal' } as never);
      checked.push(id);
      due.splice(due.indexOf(id), 1);
      return audit;
    },
    partitions: async () => [],
  };
  const deps = {
    ...{ auditor, store, leases, metric, log: silent, isOutage, hour: 3, mostCampaigns: 10, waitMs: 5, keptDays: 89 },
    clock: { now: () => ms, monotonicMs: () => ms },
    ...o.change,
  };
  return {
    ...{ runs, checked, due },
    role: () => createAuditRole(deps),
    advance: (by: number) => {
      ms += by;
    },
    hold: (now: boolean) => {
      held = now;
    },
    found: (now: Record<string, number>) => {
      differences = now;
    },
    async metricOf(name: string, labels: Record<string, string> = {}) {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
      return values.find((v) => Object.entries(labels).every(([key, value]) => v.labels[key] === value))?.value;
    },
  };
}
/** Rounds until there is nothing to do at once. */
async function toEnd(round: Round) {
  while (await round());
}

test('each campaign that is due is audited once, then the partitions, then nothing before the next day', async (t) => {
  const w = world({ due: ['a', 'b'] });
  const round = w.role();
  await toEnd(round);
  t.deepEqual(w.checked, ['a', 'b']);
  t.like(w.runs, [{ checked: 2, failed: 0, left: 0, partitions: [] }]);
  t.is(w.runs[0]?.finishedAtMs, START);
  w.due.push('c');
  w.advance(DAY - 1);
  await toEnd(round);
  t.is(w.runs.length, 1);
  w.advance(30_000);
  await toEnd(round);
  t.deepEqual(w.checked, ['a', 'b', 'c']);
  t.is(w.runs.length, 2);
});

test('one night audits no more than it may; how many are left is told', async (t) => {
  const w = world({ due: ['a', 'b', 'c'], change: { mostCampaigns: 2 } });
  await toEnd(w.role());
  t.deepEqual(w.checked, ['a', 'b']);
  t.like(w.runs[0], { checked: 2, left: 1 });
});

test('whoever comes after a death goes on with the campaigns that are left', async (t) => {
  const w = world({ due: ['a', 'b', 'c'], change: { mostCampaigns: 3 } });
  t.true(await w.role()());
  t.deepEqual(w.checked, ['a']);
  await toEnd(w.role());
  t.deepEqual(w.checked, ['a', 'b', 'c']);
  t.is(w.runs.length, 1);
  t.is(w.runs[0]?.checked, 3);
});

test('what was left of a run that another process has ended is not audited in the next one', async (t) => {
  const w = world({ due: ['a', 'b', 'c'] });
  const first = w.role();
  await first();
  w.hold(false);
  await toEnd(first);
  w.hold(true);
  await toEnd(w.role());
  t.deepEqual(w.checked, ['a', 'b', 'c']);
  w.due.push('d');
  w.advance(DAY);
  await toEnd(first);
  t.deepEqual(w.checked, ['a', 'b', 'c', 'd']);
});

test('without the lease nothing is audited, and the figures of whoever has it are shown', async (t) => {
  const w = world({ due: ['a'] });
  w.hold(false);
  w.found({ missing: 2 });
  await toEnd(w.role());
  t.deepEqual(w.checked, []);
  t.is(await w.metricOf('volley_audit_differences', { figure: 'missing' }), 2);
  t.is(await w.metricOf('volley_audit_differences', { figure: 'gaps' }), undefined, 'nobody has looked');
  t.is(await w.metricOf('volley_audit_last_run_timestamp_seconds'), 0);
});

test('what could not be found out takes no difference back, and is not the last run', async (t) => {
  const gap = { figure: 'gaps' as const, expected: 3, found: 1, difference: 2, ids: [], more: 2 };
  const partition = { partition: 0, log_start: 0, log_end: 3, stored_to: 3, raw_rows: 1, log_records: 1 };
  const view = { ...partition, dead_letters: 0 };
  let partitions: AuditRoleDeps['auditor']['partitions'] = async () => [{ ...view, figures: [gap] }];
  let isAway = false;
  const check = async () => (isAway ? away() : ({ verdict: 'equal' } as never));
  const w = world({ change: { auditor: { check, partitions: () => partitions() } } });
  const [auditing, other] = [w.role(), w.role()];
  const shown = async () => [
    await w.metricOf('volley_audit_differences', { figure: 'gaps' }),
    await w.metricOf('volley_audit_last_run_timestamp_seconds'),
  ];
  /** A night's run, and a look of a process that has not the lease while it is under way and after it. */
  const night = async () => {
    w.advance(DAY);
    for (let i = 0; i < 6; i++) {
      await toEnd(auditing);
      w.hold(false);
      await toEnd(other);
      w.hold(true);
      w.advance(30_000);
    }
  };
  await toEnd(auditing);
  t.deepEqual(await shown(), [2, START / 1_000]);
  partitions = away;
  await night();
  t.is(w.runs.length, 2);
  t.like(w.runs.at(-1), { partitions: null });
  t.truthy(w.runs.at(-1)?.finishedAtMs, 'it has given up');
  t.deepEqual(await shown(), [2, START / 1_000], 'the log or ClickHouse was away');
  partitions = async () => [{ ...view, figures: [{ ...gap, difference: 0 }] }];
  isAway = true;
  w.due.push('a');
  await night();
  t.like(w.runs.at(-1), { failed: 1 });
  t.deepEqual(await shown(), [0, START / 1_000], 'a campaign could not be audited');
  isAway = false;
  await night();
  t.deepEqual(await shown(), [0, (w.runs.at(-1)?.finishedAtMs ?? 0) / 1_000]);
});

test('never means never', async (t) => {
  const w = world({ due: ['a'], change: { hour: -1 } });
  await toEnd(w.role());
  t.deepEqual(w.runs, []);
});

test('metrics: verdicts, the end of the run, differences of campaigns and partitions together', async (t) => {
  const gap = { figure: 'gaps' as const, expected: 3, found: 1, difference: 2, ids: [], more: 2 };
  const partition = { partition: 0, log_start: 0, log_end: 3, stored_to: 3, raw_rows: 1, log_records: 1 };
  const w = world({
    due: ['a'],
    change: {
      auditor: {
        check: async () => ({ verdict: 'different' }) as never,
        partitions: async () => [{ ...partition, dead_letters: 0, figures: [gap] }],
      },
    },
  });
  w.found({ doubled: 4 });
  await toEnd(w.role());
  t.is(await w.metricOf('volley_audit_campaigns_checked_total', { verdict: 'different' }), 1);
  t.is(await w.metricOf('volley_audit_differences', { figure: 'gaps' }), 2);
  t.is(await w.metricOf('volley_audit_differences', { figure: 'doubled' }), 4);
  t.is(await w.metricOf('volley_audit_last_run_timestamp_seconds'), START / 1_000);
});

test('a store that is away is asked again; what stays away is counted as failed, and the run is made again', async (t) => {
  let isAway = true;
  const w = world({ due: ['a', 'b'], check: async () => (isAway ? away() : ({ verdict: 'equal' } as never)) });
  const round = w.role();
  for (let i = 0; i < 4; i++) {
    t.false(await round());
    t.false(await round(), 'not at once');
    w.advance(30_000);
  }
  await toEnd(round);
  t.like(w.runs[0], { checked: 0, failed: 2 });
  t.is(await w.metricOf('volley_audit_failures_total'), 6);
  isAway = false;
  w.advance(3_600_000);
  await toEnd(round);
  t.like(w.runs[1], { checked: 2, failed: 0 });
  t.deepEqual(w.checked, ['a', 'b']);
});

for (const where of ['a campaign', 'the partitions'])
  test(`a stop while ${where} is audited is no failure, and whoever comes next goes on there`, async (t) => {
    const stop = new AbortController();
    const untilStopped = (gone?: AbortSignal) =>
      new Promise<never>((_, reject) => gone?.addEventListener('abort', () => reject(new Error('stopped'))));
    const isOf = (what: string) => where === what && !stop.signal.aborted;
    const auditor: AuditRoleDeps['auditor'] = {
      check: async (_id, _how, gone) => (isOf('a campaign') ? untilStopped(gone) : ({ verdict: 'equal' } as never)),
      partitions: async (gone) => (isOf('the partitions') ? untilStopped(gone) : []),
    };
    const w = world({ due: ['a'], change: { auditor } });
    const round = w.role();
    const stopping = (async () => {
      while (await round(stop.signal));
    })();
    await new Promise(setImmediate);
    stop.abort();
    await stopping;
    t.is(await w.metricOf('volley_audit_failures_total'), 0);
    t.like(w.runs, [{ finishedAtMs: null, failed: 0 }]);
    await toEnd(w.role());
    t.like(w.runs, [{ finishedAtMs: START, failed: 0, partitions: [] }]);
  });

test('a bug is thrown, not counted', async (t) => {
  const w = world({ due: ['a'], check: () => Promise.reject(new TypeError('a bug')) });
  await t.throwsAsync(w.role()(), { instanceOf: TypeError });
});
