import { readFileSync } from 'node:fs';
import test from 'ava';
import { endedOf } from '../support/api-client.ts';
import { draft, finish, summary } from '../support/faults.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';

let p: TestPlatform;
test.before(async () => {
  p = await startTestPlatform('postgres', { ownPostgres: true });
});
test.after.always(() => p?.stop());

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has followed by itself.
  }
}

test('F26: Postgres dies and comes back: 503 within 2 s, no 202 without a commit, and nothing is lost or doubled', async (t) => {
  const running = await draft(p, 'f26', { campaign: { rate_per_second: 400 } });
  await p.api.send(running.id);
  await p.api.untilSomeEnded(running.id, 200);
  t.true(endedOf(await p.api.stats(running.id)) < running.expected);
  const services = (['ingest-api', 'dispatcher', 'sink'] as const).map((s) => [s, p.pid(s)] as const);

  const postgres = p.platform.stack.pids.postgres;
  t.truthy(postgres);
  // Some commands meet the death half way: whichever was answered with 201 must be there afterwards.
  const halfWay = Array.from({ length: 20 }, async (_, i) => {
    const name = `half way ${i}`;
    const json = { name, template: 'x', segment_rule: 'f26' };
    return { name, status: (await p.api.call('POST', '/v1/campaigns', { json })).status };
  });
  await Promise.race(halfWay);
  // With what it started: a connection's own process goes on to answer for as long as it does not look.
  const served = childrenOf(postgres as number);
  process.kill(postgres as number, 'SIGKILL');
  for (const pid of served) killIfThere(pid);
  const killedAtMs = performance.now();
  // Reading and writing, one after the other and at once: each is answered in time, none with a 2xx.
  const answers: { what: string; status: number; ms: number; retryAfter: string | null }[] = [];
  const ask = async (what: string, method: string, path: string, json?: unknown) => {
    const startedMs = performance.now();
    const answer = await p.api.call<{ code?: string }>(method, path, json === undefined ? {} : { json });
    const ms = performance.now() - startedMs;
    answers.push({ what, status: answer.status, ms, retryAfter: answer.headers.get('retry-after') });
    return answer;
  };
  const create = (name: string) => ask('create', 'POST', '/v1/campaigns', { name, template: 'x', segment_rule: 'f26' });
  await ask('pause', 'POST', `/v1/campaigns/${running.id}/pause`);
  await Promise.all([
    ...Array.from({ length: 8 }, (_, i) => create(`while away ${i}`)),
    ask('stats', 'GET', `/v1/campaigns/${running.id}/stats`),
    ask('campaign', 'GET', `/v1/campaigns/${running.id}`),
  ]);
  for (const { what, status, ms, retryAfter } of answers) {
    t.is(status, 503, what);
    t.true(ms < 2_000, `${what} was answered after ${Math.round(ms)} ms`);
    t.truthy(retryAfter, what);
  }

  await p.platform.stack.restart('postgres');
  const backAtMs = performance.now();
  const after = await until(
    'a campaign can be created again',
    async () => {
      const answer = await create('after');
      return answer.status === 201 ? answer : undefined;
    },
    { timeoutMs: 15_000 },
  );
  t.truthy(after);
  const recoveredMs = performance.now() - backAtMs;
  const names = (await p.api.ok<{ data: { name: string }[] }>('GET', '/v1/campaigns?limit=100')).data.map(
    (c) => c.name,
  );
  t.true(names.includes('after'));
  for (const { name, status } of await Promise.all(halfWay)) {
    t.true(status === 201 || status === 503, `${name}: ${status}`);
    if (status === 201) t.true(names.includes(name), `${name} was answered with 201`);
  }
  const verdict = await finish(p, running);
  t.deepEqual(verdict.problems, []);
  t.is(verdict.states.sent, running.expected);
  for (const [service, pid] of services) t.is(p.pid(service), pid, `${service} waited instead of dying`);
  const slowest = Math.max(...answers.filter((a) => a.status === 503).map((a) => a.ms));
  t.log(
    `away ${Math.round(backAtMs - killedAtMs)} ms, slowest 503 after ${Math.round(slowest)} ms, back ${Math.round(recoveredMs)} ms after the restart; ${summary(verdict)}`,
  );
});
