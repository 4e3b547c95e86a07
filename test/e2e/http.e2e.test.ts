import test from 'ava';
import { endedOf, type StatsView, sumOf } from '../support/api-client.ts';
import { check as account } from '../support/checker/check.ts';
import { people } from '../support/people.ts';
import { historyOf } from '../support/platform-history.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';

let p: TestPlatform;
test.before(async () => {
  p = await startTestPlatform('http');
});
test.after.always(() => p?.stop());

test('the states add up to the total at every moment of a campaign', async (t) => {
  const total = 1_000;
  await p.api.importContacts(people('adds-up', total));
  const id = await p.api.create({ segment_rule: 'adds-up', rate_per_second: 400 });
  t.is((await p.api.send(id)).queued, total);
  let looks = 0;
  let between = 0;
  let last = 0;
  for (let status = ''; !status.startsWith('completed'); status = (await p.api.campaign(id)).status) {
    const stats = await p.api.stats(id);
    t.is(stats.total, total);
    t.is(sumOf(stats), total, JSON.stringify(stats));
    t.true(endedOf(stats) >= last, 'what has ended stays ended');
    last = endedOf(stats);
    looks += 1;
    if (last > 0 && last < total) between += 1;
  }
  t.true(between >= 3, `looked ${looks} times, ${between} of them in the middle`);
  const history = await historyOf(p, id, total);
  t.deepEqual(account(history).problems, []);
  // The engine may be busy with others: then the percentiles are the last that were known, or none.
  const final = await until('the percentiles are there', async () => {
    const stats = await p.api.stats(id);
    return stats.p50_ms === null ? undefined : stats;
  });
  t.true((final.p50_ms ?? 0) > 0 && (final.p50_ms ?? 0) <= (final.p95_ms ?? 0));
  t.true((final.p95_ms ?? 0) <= (final.p99_ms ?? 0));
});

test('the stream of stats follows a campaign to its end', async (t) => {
  const total = 600;
  await p.api.importContacts(people('stream', total));
  const id = await p.api.create({ segment_rule: 'stream', rate_per_second: 300 });
  const described = p.platform.describe();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), 30_000);
  const response = await fetch(`${described.api}/v1/campaigns/${id}/stats/stream`, {
    headers: { authorization: `Bearer ${described.api_key}`, accept: 'text/event-stream' },
    signal: controller.signal,
  });
  t.is(response.status, 200);
  t.regex(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  await p.api.send(id);
  const seen: StatsView[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = event
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trim())
        .join('\n');
      if (data.startsWith('{')) seen.push(JSON.parse(data) as StatsView);
    }
    if (endedOf(seen.at(-1) ?? ({ sent: 0 } as StatsView)) === total) break;
  }
  clearTimeout(timer);
  controller.abort();
  const sent = seen.filter((s) => s.total === total);
  t.true(sent.length >= 2, `${seen.length} events`);
  for (const stats of sent) t.is(sumOf(stats), total);
  t.deepEqual(
    sent.map(endedOf),
    sent.map(endedOf).toSorted((a, b) => a - b),
  );
  t.is(sent.at(-1)?.sent, total);
});

test('preview shows the audience that send then freezes; what changes later changes nothing', async (t) => {
  await p.api.importContacts(people('frozen', 25));
  const id = await p.api.create({ segment_rule: 'frozen', template: 'Hi {{name}}' });
  const preview = await p.api.ok<{ total: number; sample: { recipient: string; rendered: string }[] }>(
    'GET',
    `/v1/campaigns/${id}/preview?limit=5`,
  );
  t.is(preview.total, 25);
  t.is(preview.sample.length, 5);
  for (const { recipient, rendered } of preview.sample) {
    const n = /^p(\d+)\./.exec(recipient)?.[1];
    t.is(rendered, `Hi Person ${n}`);
  }
  t.is((await p.api.send(id)).queued, 25);
  await p.api.importContacts(people('frozen', 30));
  await p.api.untilEnded(id);
  t.deepEqual(account(await historyOf(p, id, 25)).problems, []);
});

test('a second send is 409 with the status; under the same Idempotency-Key it is the first answer', async (t) => {
  await p.api.importContacts(people('twice', 10));
  const id = await p.api.create({ segment_rule: 'twice' });
  const first = await p.api.send(id, 'key-of-twice');
  t.deepEqual(await p.api.send(id, 'key-of-twice'), first);
  const second = await p.api.command(id, 'send');
  t.is(second.status, 409);
  t.like(second.body, { code: 'illegal_transition' });
  t.regex(second.headers.get('content-type') ?? '', /^application\/problem\+json/);
  await p.api.untilEnded(id);
  t.deepEqual(account(await historyOf(p, id, 10)).problems, []);
});

test('every message of a campaign can be listed, and one shown with its timeline', async (t) => {
  await p.api.importContacts(people('listed', 12, (n) => (n === 1 ? 'refuse' : n === 2 ? 'transient2' : '')));
  const id = await p.api.create({ segment_rule: 'listed' });
  await p.api.send(id);
  await p.api.untilEnded(id);
  const history = await historyOf(p, id, 12);
  t.deepEqual(account(history).problems, []);
  interface Row {
    message_id: string;
    recipient: string;
    status: string;
    attempts: number;
    reason: string | null;
  }
  const listed: Row[] = [];
  let cursor = '';
  do {
    const path = `/v1/campaigns/${id}/messages?limit=5${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const page = await p.api.ok<{ data: Row[]; next_cursor: string | null }>('GET', path);
    listed.push(...page.data);
    cursor = page.next_cursor ?? '';
  } while (cursor !== '');
  t.is(new Set(listed.map((row) => row.message_id)).size, 12);
  const byName = new Map(listed.map((row) => [row.recipient.split('.')[0], row]));
  t.like(byName.get('p1'), { status: 'failed', attempts: 1 });
  t.like(byName.get('p2'), { status: 'sent', attempts: 3 });
  const failed = await p.api.ok<{ data: Row[] }>('GET', `/v1/campaigns/${id}/messages?status=failed`);
  t.deepEqual(
    failed.data.map((row) => row.recipient.split('.')[0]),
    ['p1'],
  );
  const one = await p.api.ok<{ status: string; timeline: { kind: string; attempt?: number }[] }>(
    'GET',
    `/v1/messages/${byName.get('p2')?.message_id}`,
  );
  t.is(one.status, 'sent');
  const events = one.timeline.filter((event) => !['accepted', 'queued'].includes(event.kind));
  t.deepEqual(
    events.map((event) => `${event.kind} ${event.attempt}`),
    ['deferred 1', 'deferred 2', 'sent 3'],
  );
});

test('a tag of the import joins those that a contact is given, else those that it has', async (t) => {
  const address = 'tagged@example.org';
  const upload = (contact: Record<string, unknown>, tag: string) =>
    p.api.call<{ imported: number; updated: number; code?: string }>('POST', `/v1/contacts/import?add_tag=${tag}`, {
      headers: { 'content-type': 'application/x-ndjson' },
      body: JSON.stringify({ email: address, ...contact }),
    });
  const imported = async (contact: Record<string, unknown>, tag: string) =>
    until('the import is done', async () => (await upload(contact, tag)).status === 200);
  const tags = async (rule: string) => {
    const { data } = await p.api.ok<{ data: { recipient: string; tags: string[] }[] }>(
      'GET',
      `/v1/contacts?segment_rule=${rule}`,
    );
    return data.map((contact) => [contact.recipient, contact.tags]);
  };
  await imported({}, 'first-tag');
  t.deepEqual(await tags('first-tag'), [[address, ['first-tag']]]);
  await imported({}, 'second-tag');
  t.deepEqual(await tags('second-tag'), [[address, ['first-tag', 'second-tag']]]);
  await imported({ tags: ['given', 'third-tag'] }, 'third-tag');
  t.deepEqual(await tags('third-tag'), [[address, ['given', 'third-tag']]]);
  const wrong = await upload({}, encodeURIComponent('no, comma'));
  t.is(wrong.status, 422);
  t.is(wrong.body.code, 'validation_failed');
});
