import type { PipelineView } from '@volley/contract/http';
import type { History } from '../../support/history.ts';
import type { Entry } from '../../support/providers/journal.ts';
import { until } from '../../support/until.ts';
import type { Family } from '../kit/scenario.ts';
import { SEND_DEADLINE_MS } from '../kit/sending.ts';
import { lasting, sendingOf, sideBySide } from '../kit/side-by-side.ts';

/** What was under way when a provider asked to slow down may still arrive, on a busy machine so much later. */
const UNDER_WAY_MS = 900;
const MAX_ATTEMPTS = 8;

/** Calls that came while the provider had asked to be left alone. */
function disobeyed(entries: readonly Entry[], waitMs: number): Entry[] {
  const asked = entries.filter(({ answer }) => answer.startsWith('throttle'));
  return entries.filter(({ atMs }) => asked.some((ask) => atMs > ask.atMs + UNDER_WAY_MS && atMs < ask.atMs + waitMs));
}

/** Calls a second between two moments, as a part of those a second over all of them. */
function partOfRate(entries: readonly Entry[], windows: readonly (readonly [fromMs: number, toMs: number])[]): number {
  const times = entries.map(({ atMs }) => atMs);
  const usual = times.length / (Math.max(...times) - Math.min(...times));
  return Math.min(
    ...windows.map(([fromMs, toMs]) => times.filter((t) => t >= fromMs && t < toMs).length / (toMs - fromMs) / usual),
  );
}

const deferredFor = ({ events }: History, reason: string) =>
  events.filter((event) => event.kind === 'deferred' && event.reason === reason);

/** Recipients whose address says it, by how many of their calls were taken. */
function takenBy(entries: readonly Entry[], tag: string, word: string): Map<string, number> {
  const taken = new Map<string, number>();
  for (const { messageId, recipient, accepted } of entries)
    if (recipient.includes(`.${tag}`) && recipient.includes(`+${word}`))
      taken.set(messageId, (taken.get(messageId) ?? 0) + (accepted ? 1 : 0));
  return taken;
}

export const PROVIDERS: Family = {
  name: 'providers',
  world: 'sending',
  scenarios: [
    {
      id: 'F34',
      fault: 'a provider asks to slow down: 429 with Retry-After, in seconds and as a date',
      expected: 'it is left alone for as long as it asked, others are not; no attempt is spent; 0 lost, nothing twice',
      injected: 'every call is answered 429 (two rounds of 2 s in seconds, two of 4 s as a date) in mid-campaign',
      short: false,
      async run(trial) {
        const { hooks, mail } = sendingOf(trial);
        const campaign = { max_attempts: 3 };
        const blocked: [number, number][] = [];
        const mailFrom = mail.entries.length;
        const [throttled] = await sideBySide(
          trial,
          {
            halves: [{ provider: 'hooks', campaign }, { provider: 'mail' }],
            lastsS: trial.messages >= 5_000 ? 15 : 8,
            judging: { known: { maxAttempts: 3 } },
          },
          async () => {
            for (const { answer, seconds, obeyedMs } of [
              { answer: 'throttle', seconds: 2, obeyedMs: 2_000 },
              // Dates have whole seconds: as much as one of them is lost.
              { answer: 'throttle-date', seconds: 4, obeyedMs: 3_000 },
            ] as const) {
              const from = hooks.entries.length;
              const seen = () => hooks.entries.slice(from);
              hooks.setMood({ share: 1, answer, retryAfterS: seconds });
              const first = await until('it was asked to slow down', () => seen().find((e) => e.answer === answer));
              await until('it is called again', () => seen().some((e) => e.atMs > first.atMs + obeyedMs - 50), {
                everyMs: 5,
              });
              blocked.push([first.atMs, Date.now()]);
              hooks.setMood({});
              await until('it takes messages again', () => seen().some((e) => e.accepted && e.atMs > first.atMs + 900));
              const early = disobeyed(seen(), obeyedMs - 50);
              trial.must(early.length === 0, `${early.length} calls came although it had said ${answer}`);
            }
          },
        );
        const spared = deferredFor(throttled, 'provider_throttled');
        trial.must(spared.length > 0, 'nothing was throttled: nothing was shown');
        trial.must(
          throttled.stats.sent === throttled.expected,
          `only ${throttled.stats.sent} of ${throttled.expected} were sent: being throttled cost attempts`,
        );
        const part = partOfRate(mail.entries.slice(mailFrom), blocked);
        trial.must(part > 0.5, `the other provider went at ${part.toFixed(2)} of its rate meanwhile`);
        trial.note(
          `${spared.length} throttled answers, the other provider at ${part.toFixed(2)} of its rate meanwhile`,
        );
      },
    },
    {
      id: 'F34',
      fault: 'bursts in which a provider answers half of all calls with 503',
      expected: `at most max_attempts (${MAX_ATTEMPTS}) attempts, others are not slowed down; 0 lost, nothing twice`,
      injected: 'three bursts of 2 s, with 2 s between them',
      short: false,
      async run(trial) {
        const { hooks, mail } = sendingOf(trial);
        const bursts: [number, number][] = [];
        const mailFrom = mail.entries.length;
        let opened = 0;
        const [failing] = await sideBySide(
          trial,
          {
            halves: [{ provider: 'hooks' }, { provider: 'mail' }],
            lastsS: 15,
            judging: { known: { maxAttempts: MAX_ATTEMPTS } },
          },
          async () => {
            for (let burst = 0; burst < 3; burst++) {
              const fromMs = Date.now();
              hooks.setMood({ share: 0.5, answer: 'transient' });
              await lasting(2_000);
              bursts.push([fromMs, Date.now()]);
              const { breakers } = await trial.p.api.ok<PipelineView>('GET', '/v1/pipeline');
              opened += (breakers ?? []).filter(({ provider }) => provider === 'hooks').length;
              hooks.setMood({});
              await lasting(2_000);
            }
          },
        );
        const failed = deferredFor(failing, 'provider_transient').length;
        trial.must(failed > 50, `only ${failed} calls failed: nothing was shown`);
        const part = partOfRate(mail.entries.slice(mailFrom), bursts);
        trial.must(part > 0.5, `the other provider went at ${part.toFixed(2)} of its rate meanwhile`);
        trial.note(
          `${failed} failed, the other provider at ${part.toFixed(2)} of its rate, its breaker was open after ${opened} of 3 bursts, ${failing.stats.sent} sent`,
        );
      },
    },
    {
      id: 'F35',
      fault: 'a provider answers nothing, or a byte a second, and never closes',
      expected: `each call ends at its deadline (${SEND_DEADLINE_MS / 1_000} s here), its slot is free, the outcome unknown: tried again under the same id; 0 lost, nothing twice`,
      injected:
        'one message in 20 through webhooks and one in 50 through mail, on their first call: more than there are slots',
      short: false,
      async run(trial) {
        const { hooks, mail } = sendingOf(trial);
        const script = (oneIn: number) => (n: number) => {
          if (n === 1) return 'timeout';
          return n % oneIn === 0 ? (n % (2 * oneIn) === 0 ? 'drip1' : 'hang1') : n % 997 === 0 ? 'huge' : '';
        };
        const histories = await sideBySide(
          trial,
          {
            halves: [
              { provider: 'hooks', script: script(20), campaign: { max_attempts: 3 } },
              { provider: 'mail', script: script(50), campaign: { max_attempts: 3 } },
            ],
            lastsS: 15,
            judging: { known: { maxAttempts: 3 } },
          },
          async () => {},
        );
        for (const { events, stats } of histories) {
          const unknown = events.filter((e) => e.kind === 'deferred' && e.reason === 'provider_timeout');
          const longestMs = Math.max(...unknown.map((e) => e.providerMs));
          trial.must(unknown.length > 0, 'nothing was left without an answer: nothing was shown');
          trial.must(longestMs < SEND_DEADLINE_MS + 2_000, `a call took ${longestMs} ms`);
          trial.must(stats.dead === 1, `${stats.dead} dead, not the one that never answers`);
          trial.note(`${unknown.length} without an answer, longest ${longestMs} ms`);
        }
        for (const [entries, tag] of [
          [hooks.entries, `${trial.tag}hooks`],
          [mail.entries, `${trial.tag}mail`],
        ] as const)
          for (const word of ['hang1', 'drip1']) {
            const taken = [...takenBy(entries, tag, word).values()];
            trial.must(
              taken.length > 0 && taken.every((n) => n === 1),
              `${word} of ${tag}: taken ${taken.slice(0, 5)}`,
            );
          }
        await until('no call is under way any more', async () => {
          const { dispatchers } = await trial.p.api.ok<PipelineView>('GET', '/v1/pipeline');
          return dispatchers?.every((d) => d.providers.every(({ calls }) => calls === 0));
        });
      },
    },
    {
      id: 'F36',
      fault: 'the connection dies after the final dot of a mail, or after the body of a webhook: taken, and no answer',
      expected: 'tried again under the same id, at most one duplicate of each of them, none of the others; 0 lost',
      injected: 'a reset in place of the answer, to the first call of one message in 25',
      short: false,
      async run(trial) {
        const { hooks, mail } = sendingOf(trial);
        const script = (n: number) => (n % 25 === 0 ? 'lost' : '');
        const lost = 2 * Math.floor(Math.ceil(trial.messages / 2) / 25);
        await sideBySide(
          trial,
          {
            halves: [
              { provider: 'hooks', script },
              { provider: 'mail', script },
            ],
            lastsS: trial.messages >= 5_000 ? 10 : 5,
            judging: { allowed: { duplicateSends: lost, duplicatesOfOne: 1 } },
          },
          async () => {},
        );
        for (const [entries, tag] of [
          [hooks.entries, `${trial.tag}hooks`],
          [mail.entries, `${trial.tag}mail`],
        ] as const) {
          const taken = [...takenBy(entries, tag, 'lost').values()];
          trial.must(
            taken.length === lost / 2,
            `${taken.length} of ${tag} were lost, not ${lost / 2}: nothing was shown`,
          );
          trial.must(
            taken.every((n) => n === 2),
            `not all of ${tag} were taken once more: ${taken.filter((n) => n !== 2).slice(0, 5)}`,
          );
          const others = new Map<string, number>();
          for (const { messageId, recipient, accepted } of entries)
            if (accepted && recipient.includes(`.${tag}`) && !recipient.includes('+lost'))
              others.set(messageId, (others.get(messageId) ?? 0) + 1);
          const twice = [...others.values()].filter((n) => n > 1).length;
          trial.must(twice === 0, `${twice} of ${tag} were taken twice although they were answered`);
        }
      },
    },
  ],
};
