import test from 'ava';
import { classify } from '../src/core/classify.ts';
import type { Channel, OutgoingMessage, SendOutcome } from '../src/ports.ts';
import { until } from './webhook-server.ts';

/** What the far side does with a message; `reset` takes it and breaks the connection, the first time only. */
export type Behaviour = 'accept' | 'refuse' | 'transient' | 'throttle' | 'hang' | 'reset';
export const BEHAVIOURS: readonly Behaviour[] = ['accept', 'refuse', 'transient', 'throttle', 'hang', 'reset'];

/** One channel with its far side. */
export interface Subject {
  readonly channel: Channel;
  /** Another id for each `n`. */
  message(behaviour: Behaviour, n: number): OutgoingMessage;
  /** Ids of the messages that the far side has taken, once for each time. */
  taken(): readonly string[];
  /** Connections that are open at the far side; absent where there is no network. */
  connections?(): number;
  /** Messages of behaviour `hang` that the far side has seen. */
  hanging(): number;
  end(): Promise<void>;
}

export type Start = (options: { readonly connections: number }) => Promise<Subject>;

/** What the port of channels promises, for any channel. */
export function channelConformance(
  name: string,
  start: Start,
  facts: { readonly retryAfterMs: number | undefined },
): void {
  const meaning = (outcome: SendOutcome) => (outcome.ok ? 'accepted' : classify(outcome.failure).class);
  const check = (
    title: string,
    body: (t: import('ava').ExecutionContext, s: Subject) => Promise<void>,
    connections = 4,
  ) =>
    test(`${name}: ${title}`, async (t) => {
      const subject = await start({ connections });
      t.teardown(() => subject.end());
      await body(t, subject);
    });
  const call = (attempt = 1) => ({ attempt, signal: new AbortController().signal });

  check('an accepted message is taken once, under its id', async (t, s) => {
    const message = s.message('accept', 1);
    const outcome = await s.channel.send(message, call());
    t.true(outcome.ok);
    t.true(outcome.ok && outcome.detail !== '');
    t.deepEqual(s.taken(), [message.messageId]);
  });

  const refusals: readonly [Behaviour, string][] = [
    ['refuse', 'permanent'],
    ['transient', 'transient'],
    ['throttle', 'throttled'],
  ];
  for (const [behaviour, wanted] of refusals) {
    check(`${behaviour} is ${wanted}, with the provider’s words, and nothing is taken`, async (t, s) => {
      const outcome = await s.channel.send(s.message(behaviour, 1), call());
      t.is(meaning(outcome), wanted);
      t.regex(outcome.ok ? '' : outcome.failure.detail, /\d{3}/);
      t.is(
        outcome.ok ? undefined : outcome.failure.retryAfterMs,
        behaviour === 'throttle' ? facts.retryAfterMs : undefined,
      );
      t.deepEqual(s.taken(), []);
    });
  }

  check('taken and then cut off is an unknown outcome; the next attempt comes under the same id', async (t, s) => {
    const message = s.message('reset', 1);
    t.is(meaning(await s.channel.send(message, call(1))), 'timeout');
    t.is(meaning(await s.channel.send(message, call(2))), 'accepted');
    t.deepEqual(s.taken(), [message.messageId, message.messageId]);
  });

  check(
    'a call without an answer ends when it is aborted, as an unknown outcome, and frees what it held',
    async (t, s) => {
      const controllers = [1, 2].map(() => new AbortController());
      const sends = controllers.map(({ signal }, i) =>
        s.channel.send(s.message('hang', i + 1), { attempt: 1, signal }),
      );
      await until(() => s.hanging() === 2);
      for (const controller of controllers) controller.abort();
      t.deepEqual((await Promise.all(sends)).map(meaning), ['timeout', 'timeout']);
      if (s.connections) await until(() => s.connections?.() === 0);
      const next = await Promise.all([3, 4].map((n) => s.channel.send(s.message('accept', n), call())));
      t.true(next.every((o) => o.ok));
    },
    2,
  );

  check('an abort ends its own call and no other', async (t, s) => {
    const controller = new AbortController();
    const hung = s.channel.send(s.message('hang', 1), { attempt: 1, signal: controller.signal });
    await until(() => s.hanging() === 1);
    const others = Array.from({ length: 20 }, (_, i) => s.channel.send(s.message('accept', i + 2), call()));
    controller.abort();
    t.false((await hung).ok);
    t.true((await Promise.all(others)).every((o) => o.ok));
  });

  check('a call that was aborted before is not sent', async (t, s) => {
    t.is(
      meaning(await s.channel.send(s.message('accept', 1), { attempt: 1, signal: AbortSignal.abort() })),
      'transient',
    );
    t.is(meaning(await s.channel.send(s.message('accept', 2), call())), 'accepted');
    t.deepEqual(s.taken(), [s.message('accept', 2).messageId]);
  });

  check('many calls at once each get their own answer', async (t, s) => {
    const kinds = ['accept', 'refuse', 'transient', 'throttle'] as const;
    const wanted = { accept: 'accepted', refuse: 'permanent', transient: 'transient', throttle: 'throttled' };
    const messages = Array.from({ length: 300 }, (_, n) => [kinds[n % 4] ?? 'accept', n] as const);
    const outcomes = await Promise.all(messages.map(([kind, n]) => s.channel.send(s.message(kind, n), call())));
    t.deepEqual(
      outcomes.map(meaning),
      messages.map(([kind]) => wanted[kind]),
    );
    t.is(new Set(s.taken()).size, 75);
    t.is(s.taken().length, 75);
  });

  check('the same message twice at once is two calls under one id', async (t, s) => {
    const message = s.message('accept', 1);
    const outcomes = await Promise.all([1, 2].map((attempt) => s.channel.send(message, call(attempt))));
    t.true(outcomes.every((o) => o.ok));
    t.deepEqual(s.taken(), [message.messageId, message.messageId]);
  });

  check('closing ends idle connections, and may be repeated', async (t, s) => {
    await s.channel.send(s.message('accept', 1), call());
    await Promise.all([s.channel.close(), s.channel.close()]);
    await t.notThrowsAsync(() => s.channel.close());
    if (s.connections) await until(() => s.connections?.() === 0);
  });

  check('a channel that was never used can be closed', async (t, s) => {
    await t.notThrowsAsync(() => s.channel.close());
  });
}
