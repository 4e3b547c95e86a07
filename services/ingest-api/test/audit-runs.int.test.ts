import test from 'ava';
import { BEGAN, type TestEvent, withAuditWorld } from './support/audit-world.ts';

const HOW = { waitMs: 0, limit: 20 };
const sent = (ordinal: number): TestEvent => ({ ordinal, kind: 'sent' });
const EVENTS = [sent(1), sent(2), sent(3)];
const THREE = { expected: 3 };

test.serial('what has changed is due, what is equal is not, and the sum of what differs is kept', (t) =>
  withAuditWorld(t, async (world) => {
    const now = () => Date.now() + 1_000;
    const due = async (limit = 10, beforeMs = now()) => world.store.due({ beforeMs, keptFromMs: 0, limit });
    const good = await world.campaign(EVENTS, THREE);
    const bad = await world.campaign(EVENTS, { ...THREE, rows: EVENTS.map((e) => (e.ordinal === 2 ? null : e)) });
    const unsent = await world.campaign([], { expected: 5, status: 'running' });
    await world.pool.query('DELETE FROM progress_counts WHERE campaign_id = $1', [unsent]);
    t.deepEqual(await due(), { campaignIds: [good, bad, unsent], due: 3 });
    t.deepEqual(await due(1), { campaignIds: [good], due: 3 });
    for (const id of [good, bad, unsent]) await world.auditor.check(id, HOW);
    t.deepEqual((await due()).campaignIds, [bad], 'a difference is looked at again');
    t.deepEqual((await due(10, Date.now() - 60_000)).campaignIds, [], 'and once a run');
    await world.pool.query('UPDATE progress_counts SET retrying = retrying + 1 WHERE campaign_id = $1', [good]);
    t.deepEqual((await due()).campaignIds, [good, bad]);
    const summary = await world.store.summary();
    t.deepEqual(summary.campaigns, { audited: 3, different: 1, lagging: 0 });
    t.deepEqual(summary.differences, { states: 1, missing: 1 });
    t.like(summary.different, [{ campaign_id: bad, differences: { states: 1, missing: 1 } }]);

    // Not knowing does not take the place of a difference.
    world.deliveries.committed = async () => [0];
    t.like(await world.auditor.check(bad, HOW), { verdict: 'lagging' });
    t.is((await world.store.summary()).campaigns.different, 1);
    await world.pool.query(`UPDATE campaigns SET state = '{"sent_at": 1}' WHERE campaign_id = $1`, [bad]);
    t.like(await world.auditor.check(bad, HOW), { verdict: 'not_kept' });
    t.is((await world.store.summary()).campaigns.different, 1);

    const run = await world.store.beginRun(now());
    t.is(run.finishedAtMs, null);
    await world.store.saveRun({ ...run, checked: 2, finishedAtMs: now(), partitions: [] });
    t.like(await world.store.lastRun(), { runId: run.runId, checked: 2, partitions: [] });
    // Runs that could not find out leave what was found before, however many they are.
    const found = await world.store.lastFound();
    t.deepEqual(found.partitions, []);
    t.true((found.completeAtMs ?? 0) > Date.now() - 60_000);
    const without = await world.store.beginRun(now());
    t.deepEqual(await world.store.lastFound(), found, 'while one is under way');
    await world.store.saveRun({ ...without, failed: 1, finishedAtMs: now() });
    t.deepEqual(await world.store.lastFound(), found);
    await world.pool.query(
      'INSERT INTO audit_runs (started_at, finished_at) SELECT now(), now() FROM generate_series(1, 150)',
    );
    await world.store.beginRun(now());
    t.deepEqual(await world.store.lastFound(), found);
  }),
);

test.serial('what was not audited for longest comes first; what has not changed has the room that is left', (t) =>
  withAuditWorld(t, async (world) => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await world.campaign([sent(1)], { expected: 1 }));
    const [a, b, c, d, e] = ids as [string, string, string, string, string];
    for (const id of [a, b, c, d]) t.like(await world.auditor.check(id, HOW), { verdict: 'equal' });
    const auditedAgo = (id: string, hours: number) =>
      world.pool.query(
        `UPDATE campaign_audits SET audited_at = now() - $2 * interval '1 hour' WHERE campaign_id = $1`,
        [id, hours],
      );
    for (const [id, hours] of [
      [a, 30],
      [b, 80],
      [c, 20],
      [d, 5],
    ] as const)
      await auditedAgo(id, hours);
    const changed = (id: string) =>
      world.pool.query('UPDATE progress_counts SET retrying = retrying + 1 WHERE campaign_id = $1', [id]);
    const due = (limit: number, keptFromMs = 0) => world.store.due({ beforeMs: Date.now(), keptFromMs, limit });
    t.deepEqual(await due(10), { campaignIds: [e, b, a, c], due: 1 }, 'the fourth was audited a moment ago');
    for (const id of [c, d]) await changed(id);
    t.deepEqual(await due(10), { campaignIds: [e, c, d, b, a], due: 3 });
    t.deepEqual(await due(4), { campaignIds: [e, c, d, b], due: 3 });
    t.deepEqual(await due(2), { campaignIds: [e, c], due: 3 });
    t.deepEqual(await due(10, BEGAN + 1), { campaignIds: [e, c, d], due: 3 }, 'the others are older than what is kept');
    // Rows of a campaign that nothing has changed since it was found equal are lost.
    await auditedAgo(a, 30);
    await world.run(`ALTER TABLE delivery_by_hour DELETE WHERE campaign_id = '${a}'`);
    for (const id of (await due(10)).campaignIds) await world.auditor.check(id, HOW);
    t.like((await world.store.summary()).different, [{ campaign_id: a }, { campaign_id: c }, { campaign_id: d }]);
  }),
);
