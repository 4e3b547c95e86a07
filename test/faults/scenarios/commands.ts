import type { Contact } from '../../support/api-client.ts';
import { until } from '../../support/until.ts';
import { judgeBigCampaign, receiptsOfCampaign } from '../kit/big-campaign.ts';
import { sendSurely } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';

const TO_GO = 1_000_000;
const IMPORTED_AT_ONCE = 50_000;
/** What an answer means at the latest this long after it. */
const AT_ONCE_MS = 1_000;
/** Long enough that what was in memory has moved on to held. */
const PAUSED_MS = 4_000;
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function bigAudience({ p, tag }: Trial, size: number): Promise<void> {
  for (let from = 0; from < size; from += IMPORTED_AT_ONCE) {
    const people: Contact[] = [];
    for (let n = from; n < Math.min(size, from + IMPORTED_AT_ONCE); n++)
      people.push({ email: `p${n}.${tag}@example.org`, name: `Person ${n}`, tags: [tag] });
    await p.api.importContacts(people);
  }
}

interface Obeyed {
  /** Epoch: when it was asked, and when the answer was there. */
  readonly askedMs: number;
  readonly answeredMs: number;
}

async function obey({ p }: Trial, id: string, command: 'pause' | 'resume' | 'cancel'): Promise<Obeyed> {
  const askedMs = Date.now();
  const { status, body } = await p.api.command(id, command);
  if (status !== 202) throw new Error(`${command} was answered ${status} ${JSON.stringify(body)}`);
  return { askedMs, answeredMs: Date.now() };
}

export const COMMANDS: Family = {
  name: 'commands',
  world: 'sending',
  scenarios: [
    {
      id: 'S04',
      fault: 'a campaign is paused, resumed and cancelled in the middle',
      expected: `nothing sent ${AT_ONCE_MS / 1_000} s after the answer, and again ${AT_ONCE_MS / 1_000} s after it was resumed; all that was left ends as cancelled; 0 lost, nothing twice`,
      injected: `pause for ${PAUSED_MS / 1_000} s, resume, cancel, with at least ${TO_GO.toLocaleString('en-US')} messages to go`,
      short: false,
      async run(trial) {
        const { p, tag } = trial;
        const expected = trial.messages >= 5_000 ? Math.max(TO_GO, trial.messages) : 10 * trial.messages;
        await bigAudience(trial, expected);
        const id = await p.api.create({ segment_rule: tag, template: 'Hi {{name}}', provider: 'steady' });
        await sendSurely(trial, id);
        await p.api.untilSomeEnded(id, Math.min(2_000, expected / 10));

        const paused = await obey(trial, id, 'pause');
        await lasting(PAUSED_MS);
        const resumed = await obey(trial, id, 'resume');
        await until(
          'it sends again',
          () => receiptsOfCampaign(trial, id).some(({ atMs = 0 }) => atMs > resumed.askedMs),
          {
            everyMs: 500,
          },
        );
        const cancelled = await obey(trial, id, 'cancel');
        const { status } = await p.api.untilEnded(id, 600_000);
        const endedMs = Date.now();
        trial.must(status === 'cancelled', `it ended as ${status}`);

        const times = receiptsOfCampaign(trial, id).map(({ atMs = 0 }) => atMs);
        const lastBefore = (beforeMs: number) =>
          times.reduce((last, at) => (at < beforeMs && at > last ? at : last), 0);
        const sentBefore = (beforeMs: number) => times.filter((at) => at < beforeMs).length;
        const pauseMs = lastBefore(resumed.askedMs) - paused.answeredMs;
        const resumeMs = Math.min(...times.filter((at) => at >= resumed.askedMs)) - resumed.answeredMs;
        const cancelMs = lastBefore(Number.POSITIVE_INFINITY) - cancelled.answeredMs;
        for (const [command, tookMs] of Object.entries({ pauseMs, resumeMs, cancelMs }))
          trial.must(tookMs < AT_ONCE_MS, `${command.slice(0, -2)} took effect ${tookMs} ms after its answer`);
        trial.recovered(Math.max(0, pauseMs, resumeMs, cancelMs));
        const verdict = await judgeBigCampaign(trial, { id, expected });
        trial.judged(verdict);
        trial.must((verdict.states.cancelled ?? 0) > expected / 2, 'most had been sent before it was cancelled');
        const toGo = expected - sentBefore(paused.askedMs);
        trial.note(
          `paused with ${toGo} to go: last send ${Math.max(0, pauseMs)} ms after the answer, resumed after ${Math.max(0, resumeMs)} ms, last send ${Math.max(0, cancelMs)} ms after cancel, ${verdict.states.cancelled} cancelled in ${((endedMs - cancelled.answeredMs) / 1_000).toFixed(0)} s`,
        );
      },
    },
  ],
};
