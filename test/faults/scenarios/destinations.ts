import { directMessageIdOf } from '@volley/contract';
import type { PipelineView } from '@volley/contract/http';
import { type HttpSink, startHttpSink } from '../../support/providers/http-sink.ts';
import { until } from '../../support/until.ts';
import type { Family, Scenario } from '../kit/scenario.ts';
import { sendingOf } from '../kit/side-by-side.ts';
import type { Trial } from '../kit/trial.ts';

const DESTINATIONS = 100;
/** The one of a hundred that something is the matter with. */
const SICK = '127.0.0.100';
const MOST = 1.2;
const OPEN_MS = 30_000;
/** How long each destination takes: what a ratio is taken of must be more than the noise of a machine. */
const ANSWER_MS = 100;
const PER_SECOND = 200;
const BATCH = 50;
const PAIRS = 2;

interface Round {
  readonly campaignId: string;
  readonly ids: readonly string[];
  /** From the call of the API to the arrival, of every destination but the sick one; milliseconds. */
  readonly latenciesMs: readonly number[];
  /** From the first call to the sick one until its breaker was seen open; undefined: it was not. */
  readonly openedAfterMs: number | undefined;
}

const p95 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? Number.NaN;

/** Direct messages at a pace, to a hundred hosts in turn; a campaign would wait for its own rate, and hide what is looked for. */
async function round(trial: Trial, name: string, sickPort: number, heal = async () => {}): Promise<Round> {
  const isSick = name.startsWith('sick');
  const { p, tag } = trial;
  const { hooks } = sendingOf(trial);
  const count = Math.ceil(trial.messages / (2 * PAIRS) / DESTINATIONS) * DESTINATIONS;
  const campaignId = await p.api.create({ template: 'Hi', provider: 'each', channel: 'webhook', lane: 'bulk' });
  const postedMs = new Map<string, number>();
  let [firstCallMs, openedMs]: (number | undefined)[] = [];
  let over = false;
  const watching = (async () => {
    while (!over && openedMs === undefined) {
      const { breakers } = await p.api.ok<PipelineView>('GET', '/v1/pipeline').catch(() => ({ breakers: [] }));
      if (breakers?.some(({ host }) => host?.startsWith(SICK))) openedMs = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  const startMs = performance.now();
  for (let from = 0; from < count; from += BATCH) {
    const lines: string[] = [];
    const nowMs = Date.now();
    for (let n = from; n < from + BATCH; n++) {
      const host = `127.0.0.${(n % DESTINATIONS) + 1}`;
      const id = `${tag}-${name}-${n}`;
      const port = host === SICK ? sickPort : hooks.port;
      postedMs.set(directMessageIdOf(campaignId, id), nowMs);
      lines.push(JSON.stringify({ id, to: `http://${host}:${port}/${tag}/${name}/${n}` }));
      if (host === SICK) firstCallMs ??= nowMs;
    }
    await p.api.ok('POST', `/v1/campaigns/${campaignId}/messages`, {
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
    });
    const aheadMs = startMs + ((from + BATCH) / PER_SECOND) * 1_000 - performance.now();
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
  const well = count - count / DESTINATIONS;
  const arrived = () =>
    hooks.entries.filter(({ messageId, recipient }) => postedMs.has(messageId) && !recipient.includes(SICK));
  await until('all others have arrived', () => arrived().length >= well, { timeoutMs: 60_000, everyMs: 100 });
  // Its calls end at their deadline, so that a few of them take longer than the round.
  if (isSick) await until('its breaker opens', () => openedMs !== undefined, { timeoutMs: OPEN_MS }).catch(() => {});
  over = true;
  await watching;
  await heal();
  await p.api.ok('POST', `/v1/campaigns/${campaignId}/close`);
  return {
    campaignId,
    ids: [...postedMs.keys()],
    latenciesMs: arrived().map(({ messageId, atMs }) => atMs - (postedMs.get(messageId) ?? 0)),
    openedAfterMs: openedMs === undefined || firstCallMs === undefined ? undefined : openedMs - firstCallMs,
  };
}

interface Sickness {
  readonly fault: string;
  readonly injected: string;
  /** The port of the sick destination, and how it becomes well. */
  begin(hooks: HttpSink): Promise<{ readonly port: number; heal(): Promise<HttpSink | undefined> }>;
}

const besideOne = ({ fault, injected, begin }: Sickness): Scenario => ({
  id: 'F37',
  fault,
  expected: `p95 of the other 99 within ${MOST} times that without it, its breaker open within ${OPEN_MS / 1_000} s; 0 lost`,
  injected,
  short: false,
  async run(trial) {
    const { hooks } = sendingOf(trial);
    const rounds: { readonly well: Round; readonly sick: Round }[] = [];
    const others: HttpSink[] = [];
    try {
      hooks.setMood({ afterMs: ANSWER_MS });
      // The first calls make their connections, and concurrency is found by trying.
      const warm = await round(trial, 'warm', hooks.port);
      await trial.p.api.untilEnded(warm.campaignId);
      for (let i = 0; i < PAIRS; i++) {
        hooks.setMood({ afterMs: ANSWER_MS });
        const well = await round(trial, `well${i}`, hooks.port);
        await trial.p.api.untilEnded(well.campaignId);
        const { port, heal } = await begin(hooks);
        const sick = await round(trial, `sick${i}`, port, async () => {
          const other = await heal();
          if (other !== undefined) others.push(other);
        });
        await trial.p.api.untilEnded(sick.campaignId, 180_000);
        await until('the breaker is closed', async () => {
          const { breakers } = await trial.p.api.ok<PipelineView>('GET', '/v1/pipeline');
          return breakers?.every(({ host }) => !host?.startsWith(SICK));
        });
        rounds.push({ well, sick });
      }
      const without = p95(rounds.flatMap(({ well }) => well.latenciesMs));
      const beside = p95(rounds.flatMap(({ sick }) => sick.latenciesMs));
      trial.must(beside <= MOST * without, `p95 of the others ${beside} ms, ${without} ms without it`);
      trial.note(`p95 of the others ${beside} ms beside it, ${without} ms without (${(beside / without).toFixed(2)})`);
      for (const { sick } of rounds) {
        const { openedAfterMs } = sick;
        trial.must(
          openedAfterMs !== undefined && openedAfterMs <= OPEN_MS,
          `its breaker opened after ${openedAfterMs} ms`,
        );
        trial.note(`breaker open after ${((openedAfterMs ?? 0) / 1_000).toFixed(1)} s`);
      }
      const receipts = [hooks, ...others].flatMap((sink) => sink.receipts());
      for (const { campaignId, ids } of rounds.flatMap(({ well, sick }) => [well, sick]))
        await trial.judge({ id: campaignId, expected: 0 }, { known: { direct: ids, receipts } });
    } finally {
      for (const other of others) await other.close();
    }
  },
});

export const ONE_OF_MANY: Family = {
  name: 'one destination among many',
  world: 'sending',
  scenarios: [
    besideOne({
      fault: 'one of 100 destinations never answers',
      injected: 'a host of the webhook sink that hangs',
      async begin(hooks) {
        hooks.setMood({ afterMs: ANSWER_MS, share: 1, answer: 'hang', to: `//${SICK}:` });
        return {
          port: hooks.port,
          async heal() {
            hooks.setMood({ afterMs: ANSWER_MS });
            return undefined;
          },
        };
      },
    }),
    besideOne({
      fault: 'one of 100 destinations is dead',
      injected: 'a port where nobody listens',
      async begin() {
        const gone = await startHttpSink({ host: SICK });
        await gone.close();
        return { port: gone.port, heal: () => startHttpSink({ host: SICK, port: gone.port }) };
      },
    }),
  ],
};
