import test from 'ava';
import type { ServiceName } from '../../apps/cli/src/platform.ts';
import { endedOf } from '../support/api-client.ts';
import { draft, finish, MESSAGES, summary } from '../support/faults.ts';
import type { Allowance } from '../support/history.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';

let p: TestPlatform;
test.before(async () => {
  p = await startTestPlatform('kill');
});
test.after.always(() => p?.stop());

/** A campaign of 2.5 s, killed in its last second: long after the first commits. */
const RATE = 800;
const KILL_AT = 1_400;

/**
 * What was not yet committed is done again. Until the ledger exists a dispatcher does whole messages again: those ended
 * since its last commit (every 0.5 s, behind the slowest retry in memory), at 800 a second never 1.5 s of them. The sink
 * stores nothing twice.
 */
const AGAIN = 1.5 * RATE;
const KILLS: readonly { service: ServiceName; allowed: Partial<Allowance> }[] = [
  { service: 'ingest-api', allowed: {} },
  { service: 'dispatcher', allowed: { duplicateSends: AGAIN, doubledEvents: AGAIN } },
  { service: 'sink', allowed: {} },
];

for (const { service, allowed } of KILLS) {
  test.serial(`kill -9 of ${service} in mid-campaign: every message ends once, the campaign completes`, async (t) => {
    const running = await draft(p, `kill-${service}`, { campaign: { rate_per_second: RATE } });
    await p.api.send(running.id);
    await p.api.untilSomeEnded(running.id, KILL_AT);
    const ended = endedOf(await p.api.stats(running.id));
    const before = p.kill(service);
    t.true(ended >= KILL_AT && ended < MESSAGES, `killed when ${ended} had ended`);
    await p.untilRestarted(service, before);
    const verdict = await finish(p, running, allowed);
    t.deepEqual(verdict.problems, []);
    t.is(verdict.states.sent, MESSAGES);
    t.log(`killed when ${ended} of ${MESSAGES} had ended; ${summary(verdict)}`);
  });
}

test.serial(
  'kill -9 of all three at once in mid-campaign: every message ends once, the campaign completes',
  async (t) => {
    const running = await draft(p, 'kill-all', { campaign: { rate_per_second: RATE } });
    await p.api.send(running.id);
    await p.api.untilSomeEnded(running.id, KILL_AT);
    const killed = KILLS.map(({ service }) => ({ service, before: p.kill(service) }));
    await Promise.all(killed.map(({ service, before }) => p.untilRestarted(service, before)));
    const verdict = await finish(p, running, Object.assign({}, ...KILLS.map((kill) => kill.allowed)));
    t.deepEqual(verdict.problems, []);
    t.is(verdict.states.sent, MESSAGES);
    t.log(summary(verdict));
  },
);
