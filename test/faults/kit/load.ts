import { endedOf } from '../../support/api-client.ts';
import type { Running } from '../../support/faults.ts';
import { people } from '../../support/people.ts';
import { until } from '../../support/until.ts';
import type { Trial } from './trial.ts';

export interface LoadOptions {
  /** Messages a second, over all campaigns of a round. */
  readonly perSecond: number;
  /** Campaigns at once, each in a partition of its own choice. Default 1. */
  readonly campaigns?: number;
  /** Messages of a round; default: what remains. Rounds follow one another until the fault is over. */
  readonly round?: number;
  readonly script?: (n: number) => string;
  readonly campaign?: Readonly<Record<string, unknown>>;
}

export interface Load {
  /** Everything that was sent so far. */
  readonly sent: readonly Running[];
  /** How many messages of it have ended. */
  ended(): Promise<number>;
  /** Resolves when the provider has accepted a message after this moment (epoch); answers how long after. */
  untilDelivered(sinceMs: number, timeoutMs?: number): Promise<number>;
}

/** Sends a draft, through answers that say nothing: repeated under its key until one says that it was taken. */
export async function sendSurely(trial: Pick<Trial, 'p'>, id: string): Promise<void> {
  const headers = { 'idempotency-key': `send-${id}` };
  const { status, body } = await until(
    `campaign ${id} is sent`,
    async () => {
      const answer = await trial.p.api.call('POST', `/v1/campaigns/${id}/send`, { headers });
      return answer.status < 500 ? answer : undefined;
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  if (status !== 202) throw new Error(`campaign ${id} was not sent: ${status} ${JSON.stringify(body)}`);
}

/** Audiences that are there: their names are of one trial each. */
const imported = new Set<string>();

/** Drafts for one audience: imported once, sent as often as there are drafts. */
export async function drafts(
  trial: Trial,
  count: number,
  options: LoadOptions & { readonly size: number },
): Promise<Running[]> {
  const { p, tag } = trial;
  const audience = `${tag}n${options.size}`;
  if (!imported.has(audience)) await p.api.importContacts(people(audience, options.size, options.script));
  imported.add(audience);
  const rate = options.perSecond / (options.campaigns ?? 1);
  const made: Running[] = [];
  for (let i = 0; i < count; i++) {
    const id = await p.api.create({
      segment_rule: audience,
      template: 'Hi {{name}} from {{city}}',
      rate_per_second: rate,
      ...options.campaign,
    });
    made.push({ id, expected: options.size });
  }
  return made;
}

/**
 * Campaigns without a pause while the fault happens: a round is sent when nine tenths of the one before have ended, until
 * the fault is over and enough was sent. The fault begins when messages are being delivered. Judging is the caller's.
 */
export async function underLoad(
  trial: Trial,
  options: LoadOptions,
  fault: (load: Load) => Promise<void>,
): Promise<readonly Running[]> {
  const campaigns = options.campaigns ?? 1;
  const size = Math.max(1, Math.ceil((options.round ?? trial.messages) / campaigns));
  const sent: Running[] = [];
  const ended = async (of: readonly Running[]) => {
    const stats = await Promise.all(of.map(({ id }) => trial.p.api.stats(id)));
    return stats.reduce((sum, s) => sum + endedOf(s), 0);
  };
  const load: Load = {
    sent,
    ended: () => ended(sent),
    untilDelivered: (sinceMs, timeoutMs = 60_000) =>
      until(
        'the provider takes a message again',
        () => {
          const next = trial.receipts().find((receipt) => (receipt.atMs ?? 0) > sinceMs);
          return next && Math.max(1, (next.atMs ?? 0) - sinceMs);
        },
        { timeoutMs, everyMs: 50 },
      ),
  };

  let over = false;
  let failed: Error | undefined;
  let round: readonly Running[] = [];
  const nextRound = async () => {
    // The fault may be the API's: what it does not answer is asked again.
    round = await until('drafts are made', () => drafts(trial, campaigns, { ...options, size }), {
      timeoutMs: 120_000,
      everyMs: 200,
    });
    for (const { id } of round) await sendSurely(trial, id);
    sent.push(...round);
  };
  await nextRound();
  await until('messages are being delivered', async () => (await load.ended()) >= Math.min(size * campaigns, 50), {
    everyMs: 20,
  });
  const during = fault(load).then(
    () => {
      over = true;
    },
    (error: Error) => {
      over = true;
      failed = error;
    },
  );
  const enough = () => over && sent.reduce((sum, { expected }) => sum + expected, 0) >= trial.messages;
  while (!enough()) {
    const mostly = size * campaigns * 0.9;
    await until(
      'the fault is over, or most of this round has ended',
      async () => enough() || (await ended(round).catch(() => 0)) >= mostly,
      { timeoutMs: 600_000, everyMs: 100 },
    );
    if (!enough()) await nextRound();
  }
  await during;
  if (failed !== undefined) throw failed;
  return sent;
}
