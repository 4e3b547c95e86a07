import { DEAD_LETTER_HEADERS, HEADERS, type Message, messageIdOf } from '@volley/contract';
import test from 'ava';
import { v7 } from 'uuid';
import { createLetterReader } from '../src/letters.ts';
import { endAll, lettersIn } from './support/dead-letters.ts';
import { decodeAll, encoderOf, readAll, topics, until } from './support/log.ts';
import { asked, ended, finished, jobOf, ordinals, refused, roleOf, secondRuns } from './support/redriving.ts';
import { all, progressUntil, running, statsOf, statusOf, upTo } from './support/roles.ts';

test('failed messages go out again under their own ids and the next run, and their campaign runs until they have ended', async (t) => {
  const e = await ended(6, (n) =>
    n % 2 ? { kind: 'sent' } : { kind: n === 6 ? 'dead' : 'failed', reason: 'attempts_exhausted' },
  );
  const { w, s, id } = e;
  t.is(await statusOf(w, id), 'completed_with_failures');
  const job = await asked(w);
  const done = await finished(e, await roleOf(e, 'a'), job);
  t.like(done, { status: 'done', selected: 3, redriven: 3, left: {} });

  const again = await secondRuns(w);
  const first = (await readAll(w.client, topics.messages.bulk)).filter((r) => r.headers[HEADERS.redrive] === undefined);
  const messages = decodeAll('Message', again);
  t.deepEqual(ordinals(messages), [2, 4, 6]);
  const campaign = await w.store.campaigns.find('default', id);
  for (const [i, message] of messages.entries()) {
    const before = decodeAll('Message', first).find((m) => m.message_id === message.message_id) as Message;
    t.deepEqual(
      { ...message },
      {
        ...before,
        run: 1,
        campaign_version: campaign?.version as number,
        queued_at: message.queued_at,
      },
    );
    t.true(message.queued_at > before.queued_at, 'its latency counts from the redrive');
    const record = again[i];
    t.is(record?.partition, first[0]?.partition);
    t.is(String(record?.headers[HEADERS.redrive]), job.redrive_id);
    t.is(String(record?.headers[HEADERS.messageId]), message.message_id);
    t.is(String(record?.key), id);
  }
  t.is(await statusOf(w, id), 'running');
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).queued === 3);
  t.like(await statsOf(t, s, id), { total: 6, sent: 3, failed: 0, dead: 0, queued: 3, status: 'running' });
  t.is(await statusOf(w, id), 'running');

  await endAll(w.producer, again, () => ({ kind: 'sent' }));
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) !== 'running');
  t.like(await statsOf(t, s, id), { total: 6, sent: 6, failed: 0, dead: 0, queued: 0, status: 'completed' });
  await s.stop();
});

test('the event that takes a message out of its state carries the new run, the state and the reason, before the message', async (t) => {
  const e = await ended(1);
  await finished(e, await roleOf(e, 'a'), await asked(e.w));
  const event = decodeAll('DeliveryEvent', await readAll(e.w.client, topics.deliveries)).at(-1);
  t.like(event, {
    message_id: messageIdOf(e.id, 1),
    kind: 'redriven',
    run: 1,
    previous_kind: 'failed',
    reason: 'recipient_refused',
    attempt: 0,
    e2e_ms: 0,
    dlq_partition: null,
  });
  await e.s.stop();
});

test('a second redrive of the same selection finds nothing, however far behind the index is', async (t) => {
  const e = await ended(5);
  const stale = await lettersIn(e.w.client);
  const role = await roleOf(e, 'a', { index: async () => stale });
  t.like(await finished(e, role, await asked(e.w)), { selected: 5, redriven: 5 });
  t.like(await finished(e, role, await asked(e.w)), { status: 'done', selected: 0, redriven: 0 });
  t.is((await secondRuns(e.w)).length, 5);
  await e.s.stop();
});

for (const [failpoint, most] of [
  ['redrive.afterSelect', 0],
  ['redrive.afterEvents', 0],
  ['redrive.afterMessages', 150],
] as const) {
  test(`killed at ${failpoint}: another process goes on where it was, nothing is lost, and what repeats says so by id and run`, async (t) => {
    const e = await ended(150);
    const { w, s, id } = e;
    const job = await asked(w);
    const dying = await roleOf(e, 'a', { failpoints: `${failpoint}:throw` });
    const dead = await until('it dies', async () => {
      await s.relay();
      w.clock.advance(100);
      return dying.round().then(
        () => undefined,
        (error: Error) => error,
      );
    });
    t.is(dead.name, 'FailpointError');
    const heir = await roleOf(e, 'b');
    t.is(await heir.round(), 'waiting');
    t.is((await jobOf(w, job)).redriven, 0, 'the lease of the dead one holds');
    w.clock.advance(6_000);
    t.like(await finished(e, heir, job), { status: 'done', selected: 150, redriven: 150, left: {} });
    w.clock.advance(6_000);
    t.is(await heir.round(), false, 'there is no job any more');
    const messages = decodeAll('Message', await secondRuns(w));
    t.deepEqual([...new Set(ordinals(messages))], upTo(150));
    t.true(messages.length <= 150 + most, `${messages.length}`);
    t.true(messages.every((m) => m.run === 1));
    await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).queued === 150);
    await endAll(w.producer, await secondRuns(w), () => ({ kind: 'sent' }));
    await progressUntil(s, w.clock, async () => (await statusOf(w, id)) !== 'running');
    t.like(await statsOf(t, s, id), { total: 150, sent: 150, failed: 0, status: 'completed' });
    await s.stop();
  });
}

test('two jobs with the same selection in two processes share it: each message goes out once', async (t) => {
  const e = await ended(40);
  const stale = await lettersIn(e.w.client);
  const jobs = [await asked(e.w), await asked(e.w)];
  const roles = [
    await roleOf(e, 'a', { index: async () => stale }),
    await roleOf(e, 'b', { index: async () => stale }),
  ];
  const done = await Promise.all(jobs.map((job, i) => finished(e, roles[i] as (typeof roles)[number], job)));
  t.is(
    done.reduce((sum, job) => sum + job.redriven, 0),
    40,
  );
  t.deepEqual(ordinals(decodeAll('Message', await secondRuns(e.w))), upTo(40));
  await e.s.stop();
});

test('a campaign does not come to its end while a redrive is at it, nor before what was redriven is counted', async (t) => {
  const e = await ended(3);
  const { w, s, id } = e;
  const job = await asked(w);
  const dying = await roleOf(e, 'a', { failpoints: 'redrive.afterEvents:throw' });
  await until('the campaign runs', async () => {
    await dying.round().catch(() => {});
    return (await statusOf(w, id)) === 'running';
  });
  // As far as progress knows, all of its messages have ended.
  for (let i = 0; i < 5; i++) {
    w.clock.advance(2_000);
    await s.progress();
    t.is(await statusOf(w, id), 'running');
  }
  const refusal = await s.commands.complete(id, true);
  t.false(refusal.ok, 'also where the question was answered before');
  await finished(e, await roleOf(e, 'b'), job);
  t.false((await s.commands.complete(id, true)).ok, 'its events are in the log, and not counted');
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).queued === 3);
  await endAll(w.producer, await secondRuns(w), refused);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) !== 'running');
  t.like(await statsOf(t, s, id), { total: 3, failed: 3, queued: 0, status: 'completed_with_failures' });
  await s.stop();
});

test('what fails again while the job runs is not sent a third time by it, and a new redrive takes it', async (t) => {
  const e = await ended(2);
  const { w, s, id } = e;
  const job = await asked(w, { rate_per_second: 1 });
  const role = await roleOf(e, 'a');
  await until('the first is out', async () => {
    await role.round();
    await s.relay();
    return (await secondRuns(w)).length === 1;
  });
  await endAll(w.producer, await secondRuns(w), refused);
  t.like(await finished(e, role, job), { redriven: 2 });
  t.is((await secondRuns(w)).length, 2);
  const third = await asked(w, { filter: { campaign_id: id } });
  t.like(await finished(e, role, third), { redriven: 1 });
  t.is(decodeAll('Message', await secondRuns(w)).at(-1)?.run, 2);
  await s.stop();
});

test('messages of a cancelled campaign stay as they are, are counted as skipped, and can be asked for again', async (t) => {
  const { w, s, id } = await running(2);
  const e = { w, s, id };
  await all(s.fanout);
  await endAll(w.producer, (await readAll(w.client, topics.messages.bulk)).slice(0, 1), refused);
  await s.commands.command(id, 'cancel');
  const role = await roleOf(e, 'a');
  t.like(await finished(e, role, await asked(w)), { status: 'done', redriven: 0, left: { campaign_over: 1 } });
  t.like(await finished(e, role, await asked(w)), { selected: 1, left: { campaign_over: 1 } });
  t.is((await secondRuns(w)).length, 0);
  t.is(await statusOf(w, id), 'cancelling');
  await s.stop();
});

test('a paused campaign stays paused, and its messages are written for when it goes on', async (t) => {
  const { w, s, id } = await running(2);
  const e = { w, s, id };
  await all(s.fanout);
  await endAll(w.producer, (await readAll(w.client, topics.messages.bulk)).slice(0, 1), refused);
  await s.commands.command(id, 'pause');
  t.like(await finished(e, await roleOf(e, 'a'), await asked(w)), { redriven: 1 });
  t.is(await statusOf(w, id), 'paused');
  await s.stop();
});

test('what cannot be sent again is left as it stands and counted by cause; the others go', async (t) => {
  const e = await ended(6);
  const { w, s } = e;
  const letters = await lettersIn(w.client);
  const dlq = await readAll(w.client, topics.dlq);
  const put = async (value: Buffer | null, headers: Record<string, string> = {}) => {
    const [ack] = await w.producer.send([
      { topic: topics.dlq, partition: dlq[0]?.partition ?? 0, key: e.id, value, headers },
    ]);
    return { partition: ack?.partition ?? 0, offset: ack?.offset ?? 0 };
  };
  const [whole] = decodeAll('Message', dlq) as [Message];
  const places = [
    undefined,
    await put(Buffer.from('not avro')),
    await put(dlq[1]?.value ?? null, { [DEAD_LETTER_HEADERS.truncated]: '1' }),
    await put(encoderOf('Message')({ ...whole, message_id: messageIdOf(e.id, 77) })),
    { partition: 0, offset: 10_000 },
  ];
  const index = async () => letters.map((l, i) => (i < 5 ? { ...l, place: places[i] } : l));
  const done = await finished(e, await roleOf(e, 'a', { index }), await asked(w));
  t.like(done, { selected: 6, redriven: 1 });
  t.deepEqual(done.left, { gone: 2, undecodable: 1, truncated: 1, foreign: 1 });
  t.deepEqual(ordinals(decodeAll('Message', await secondRuns(w))), [6]);
  const untouched = await w.store.redriveJobs.marked(letters.map((l) => ({ message_id: l.message_id, run: 1 })));
  t.deepEqual([...untouched.keys()], [`${messageIdOf(e.id, 6)}/1`]);
  await s.stop();
});

test('limit, reason and recipient narrow what is taken', async (t) => {
  const e = await ended(6, (n) => ({
    kind: n < 4 ? 'failed' : 'dead',
    reason: n < 4 ? 'recipient_refused' : 'render_failed',
  }));
  const role = await roleOf(e, 'a');
  t.like(await finished(e, role, await asked(e.w, { filter: { kind: 'dead' }, limit: 2 })), {
    selected: 2,
    redriven: 2,
  });
  t.like(await finished(e, role, await asked(e.w, { filter: { recipient: 'P0.ALL@b.example' } })), { redriven: 1 });
  t.like(await finished(e, role, await asked(e.w, { filter: { reason: 'recipient_refused' } })), { redriven: 2 });
  t.like(await finished(e, role, await asked(e.w, { filter: { campaign_id: v7() } })), { redriven: 0 });
  t.deepEqual(ordinals(decodeAll('Message', await secondRuns(e.w))), [1, 2, 3, 4, 5]);
  await e.s.stop();
});

test('a rate is kept, and a redrive that is cancelled ends after what it had taken', async (t) => {
  const e = await ended(20);
  const { w, s } = e;
  const job = await asked(w, { rate_per_second: 2 });
  const role = await roleOf(e, 'a');
  const began = w.clock.monotonicMs();
  const outAfter = async (ms: number) => {
    while (w.clock.monotonicMs() < began + ms) {
      await role.round();
      await s.relay();
      w.clock.advance(50);
    }
    return (await secondRuns(w)).length;
  };
  const at = [await outAfter(1_000), await outAfter(2_000), await outAfter(4_000)];
  t.true((at[0] as number) <= 4 && (at[1] as number) <= 6 && (at[2] as number) <= 10, `${at}`);
  t.true((at[2] as number) >= 6, `${at}`);
  await w.store.redriveJobs.cancel('default', job.redrive_id);
  const done = await finished(e, role, job);
  t.is(done.status, 'cancelled');
  t.is(done.redriven, done.selected, 'nothing that was marked is left behind');
  t.true(done.redriven < 20);
  await s.stop();
});

test('a purge marks and writes nothing; what is purged is not redriven', async (t) => {
  const e = await ended(4);
  const role = await roleOf(e, 'a');
  const purge = await asked(e.w, { action: 'purge', limit: 3 });
  t.like(await finished(e, role, purge), { status: 'done', selected: 3, purged: 3, redriven: 0 });
  t.is((await secondRuns(e.w)).length, 0);
  t.is(await statusOf(e.w, e.id), 'completed_with_failures');
  t.like(await finished(e, role, await asked(e.w)), { selected: 1, redriven: 1 });
  await e.s.stop();
});

test('a process that slept past its lease writes no more, and its heir does', async (t) => {
  const e = await ended(3);
  const { w, s } = e;
  const job = await asked(w);
  const sleeper = await roleOf(e, 'a');
  const heir = await roleOf(e, 'b');
  await until('the first page is marked', async () => {
    await sleeper.round();
    return (await jobOf(w, job)).selected === 3;
  });
  w.clock.advance(10_000);
  await finished(e, heir, job);
  await sleeper.round();
  t.is((await secondRuns(w)).length, 3);
  t.like(await jobOf(w, job), { status: 'done', redriven: 3 });
  await s.stop();
});

test('large letters go in several slices, as many at once as fit', async (t) => {
  const e = await ended(7);
  const { w, s } = e;
  const letter = (await readAll(w.client, topics.dlq))[0]?.value?.length ?? 0;
  const read = createLetterReader(w.client, topics.dlq, letter * 2);
  const { found, postponed } = await read((await lettersIn(w.client)).flatMap((l) => l.place ?? []));
  t.deepEqual([found.size, postponed.size], [2, 5]);
  const role = await roleOf(e, 'a', { read });
  t.like(await finished(e, role, await asked(w)), { redriven: 7, left: {} });
  t.deepEqual(ordinals(decodeAll('Message', await secondRuns(w))), upTo(7));
  await s.stop();
});

test('with a campaign and on request: what expired goes out again, made anew of the frozen audience', async (t) => {
  const e = await ended(6, (n) => (n === 2 ? { kind: 'sent' } : n < 5 ? { kind: 'expired' } : refused(n)));
  const { w, s, id } = e;
  const lettersAlone = await finished(
    e,
    await roleOf(e, 'a'),
    await asked(w, { filter: { campaign_id: id, reason: 'x' } }),
  );
  t.like(lettersAlone, { selected: 0 }, 'only on request');

  const before = decodeAll('Message', await readAll(w.client, topics.messages.bulk));
  const job = await asked(w, { filter: { campaign_id: id, expired: true } });
  t.like(await finished(e, await roleOf(e, 'a'), job), { status: 'done', selected: 5, redriven: 5, left: {} });
  const again = decodeAll('Message', await secondRuns(w));
  t.deepEqual(ordinals(again), [1, 3, 4, 5, 6]);
  for (const message of again) {
    const {
      run: _,
      campaign_version: __,
      queued_at: ___,
      ...same
    } = before.find((m) => m.message_id === message.message_id) as Message;
    t.like(message, { ...same, run: 1 });
  }
  const events = decodeAll('DeliveryEvent', await readAll(w.client, topics.deliveries)).filter(
    (x) => x.kind === 'redriven',
  );
  t.deepEqual(events.map((x) => x.previous_kind).sort(), ['expired', 'expired', 'expired', 'failed', 'failed']);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).queued === 5);
  t.like(await statsOf(t, s, id), { total: 6, sent: 1, expired: 0, failed: 0, queued: 5, status: 'running' });

  const repeated = await finished(
    e,
    await roleOf(e, 'a'),
    await asked(w, { filter: { campaign_id: id, expired: true } }),
  );
  t.like(repeated, { selected: 0, redriven: 0 });
  await s.stop();
});
