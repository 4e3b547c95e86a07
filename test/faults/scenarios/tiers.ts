import { directMessageIdOf } from '@volley/contract';
import { endedOf } from '../../support/api-client.ts';
import { until } from '../../support/until.ts';
import { latenessOf } from '../kit/lateness.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';

/**
 * One in so many fails three times: twice in memory, and once more after its wait in a tier. With more of them, or with
 * nobody else in the end, more than half of the calls would fail and the provider's breaker would open.
 */
const ONE_IN = 5;
const RECORDS_EACH = 2;
const LAST_PART_IS_WELL = 0.1;
const RECORDS = 20_000;
const PER_SECOND = 700;
const BATCH = 100;
/** Beyond so many under way nobody sends more: what is late for standing in a queue says nothing about tiers. */
const MOST_UNDER_WAY = 3_000;
const P99_MS = 500;

const failing = (n: number, count: number) => n % ONE_IN === 0 && n < count * (1 - LAST_PART_IS_WELL);

/** Direct messages at a pace, or as fast as they go. Answers their ids. */
async function sendAtPace({ p, tag }: Trial, campaignId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const startMs = performance.now();
    const lines: string[] = [];
    for (let n = from; n < Math.min(from + BATCH, count); n++) {
      const id = `${tag}-${n}`;
      ids.push(directMessageIdOf(campaignId, id));
      const to = `p${n}.${tag}${failing(n, count) ? '+transient3' : ''}@example.org`;
      lines.push(JSON.stringify({ id, to, vars: { name: `Person ${n}` } }));
    }
    await until('the batch is taken', async () => {
      const answer = await p.api.call('POST', `/v1/campaigns/${campaignId}/messages`, {
        headers: { 'content-type': 'application/x-ndjson' },
        body: `${lines.join('\n')}\n`,
      });
      return answer.status === 200;
    });
    if (ids.length % (10 * BATCH) === 0)
      await until(
        'there is room for more',
        async () => ids.length - endedOf(await p.api.stats(campaignId)) < MOST_UNDER_WAY,
        { timeoutMs: 120_000, everyMs: 50 },
      );
    const aheadMs = startMs + (BATCH / PER_SECOND) * 1_000 - performance.now();
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
  return ids;
}

export const TIERS: Family = {
  name: 'retry tiers',
  world: 'sending',
  scenarios: [
    {
      id: 'S03',
      fault: 'every fifth message fails three times and goes through two retry tiers',
      expected: `no attempt early; late by less than ${P99_MS} ms (p99); 0 lost, nothing twice`,
      injected: `a provider that fails three times; ${RECORDS.toLocaleString('en-US')} records of tiers`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const wanted = trial.messages >= 5_000 ? RECORDS : Math.ceil(trial.messages / 4);
        const count = Math.ceil((wanted / RECORDS_EACH / (1 - LAST_PART_IS_WELL)) * ONE_IN);
        const id = await p.api.create({ template: 'Hi {{name}}', provider: 'steady', lane: 'bulk' });
        const direct = await sendAtPace(trial, id, count);
        await p.api.ok('POST', `/v1/campaigns/${id}/close`);
        const histories = await trial.judgeAll([{ id, expected: 0 }], { known: { direct } });
        const { records, early, p50Ms, p99Ms, mostMs } = latenessOf(histories);
        trial.must(records >= wanted, `${records} records of tiers, not ${wanted}`);
        trial.must(early.length === 0, `${early.length} were tried early: ${early[0]}`);
        trial.must(p99Ms < P99_MS, `late by ${p99Ms} ms (p99)`);
        trial.note(
          `${records} records of a tier, none early, late by ${p50Ms} ms (p50), ${p99Ms} ms (p99), ${mostMs} ms`,
        );
      },
    },
  ],
};
