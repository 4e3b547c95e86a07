import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type ClickHouseFront, startClickHouseFront } from './clickhouse-front.ts';
import { until } from './until.ts';

interface Place {
  readonly front: ClickHouseFront;
  /** Whole bodies that arrived, each with its settings. */
  readonly arrived: { readonly body: string; readonly url: URL }[];
  insert(body: string, partition?: number): Promise<{ status: number; text: string }>;
}

async function place(t: ExecutionContext): Promise<Place> {
  const arrived: Place['arrived'] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      arrived.push({ body: Buffer.concat(chunks).toString(), url: new URL(request.url ?? '/', 'http://x') });
      response.writeHead(200, { 'x-said': 'by the engine' }).end('done');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front = await startClickHouseFront();
  t.teardown(async () => {
    await front.close();
    server.closeAllConnections();
    server.close();
  });
  const through = front.through(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    front,
    arrived,
    async insert(body, partition = 3) {
      const token = `cluster:topic:${partition}:10:20:2`;
      const answer = await fetch(`${through}/?query=INSERT&insert_deduplication_token=${token}`, {
        method: 'POST',
        body,
        signal: AbortSignal.timeout(5_000),
      });
      return { status: answer.status, text: await answer.text() };
    },
  };
}

test('without a fault everything passes, and a token that comes again is counted', async (t) => {
  const { front, arrived, insert } = await place(t);
  t.deepEqual(await insert('rows'), { status: 200, text: 'done' });
  t.is(front.repeats(), 0);
  await insert('rows');
  t.is(front.repeats(), 1);
  t.deepEqual(
    arrived.map(({ body }) => body),
    ['rows', 'rows'],
  );
});

test('a cut insert arrives nowhere as a whole, a lost one does; both look the same from here', async (t) => {
  const { front, arrived, insert } = await place(t);
  front.set({ kind: 'cut', afterBytes: 400 }, 1);
  await t.throwsAsync(insert('short'));
  front.set({ kind: 'lose' }, 1);
  await t.throwsAsync(insert('whole'));
  t.deepEqual(
    arrived.map(({ body }) => body),
    ['whole'],
  );
  t.is((await insert('next')).status, 200);
  t.is(front.faults(), 2);
});

test('an exception is said in place of the insert, or after it', async (t) => {
  const { front, arrived, insert } = await place(t);
  front.set({ kind: 'say', code: 164, name: 'READONLY', done: false });
  const { status, text } = await insert('not');
  t.is(status, 500);
  t.regex(text, /Code: 164.*\(READONLY\)/);
  front.set({ kind: 'say', code: 319, name: 'UNKNOWN_STATUS_OF_INSERT', done: true });
  t.is((await insert('done')).status, 500);
  front.set({ kind: 'set', settings: { readonly: '1' } });
  t.is((await insert('set')).status, 200);
  t.deepEqual(
    arrived.map(({ body, url }) => [body, url.searchParams.get('readonly')]),
    [
      ['done', null],
      ['set', '1'],
    ],
  );
});

test('what is held arrives when it is released, and nothing else waits for it', async (t) => {
  const { front, arrived, insert } = await place(t);
  const holding = front.hold([3, 4]);
  const late = insert('held');
  const held = await holding;
  t.is(held.token, 'cluster:topic:3:10:20:2');
  await insert('other');
  t.is(await held.release(), 200);
  t.deepEqual(await late, { status: 200, text: 'done' });
  t.deepEqual(
    arrived.map(({ body }) => body),
    ['other', 'held'],
  );
});

test('a blackhole answers nobody, until it ends', async (t) => {
  const { front, arrived, insert } = await place(t);
  front.set({ kind: 'blackhole' });
  const lost = t.throwsAsync(insert('lost'));
  await until('it is in the blackhole', () => front.faults() === 1);
  front.heal();
  await lost;
  t.is((await insert('next')).status, 200);
  t.is(arrived.length, 1);
});
