import { EventEmitter } from 'node:events';
import test from 'ava';
import type { Request } from '../../../src/adapters/http/operation.ts';
import { createStatsStreams } from '../../../src/adapters/http/stats-stream.ts';
import type { CampaignReads } from '../../../src/ports.ts';
import { until } from '../../support/log.ts';

const IDS = ['01a1fdc2-e2c6-780b-84ec-2fe500000000', '01a1fdc2-e2c6-780b-84ec-2fe600000000'];

/** The answer of one reader, as text. */
function reader(id: string) {
  let text = '';
  let ended = false;
  const res = Object.assign(new EventEmitter(), {
    writableNeedDrain: false,
    destroyed: false,
    writeHead: () => {},
    write: (part: string) => {
      text += part;
    },
    end: () => {
      ended = true;
    },
  });
  const request = { id, ctx: { res, state: { requestId: 'r' }, respond: true } } as unknown as Request;
  return {
    request,
    events: () => text.split('event: stats').length - 1,
    text: () => text,
    ended: () => ended,
    leave() {
      res.destroyed = true;
      res.emit('close');
    },
  };
}

test('readers of one campaign share one question a beat, each gets every number', async (t) => {
  const asked = new Map<string, number>();
  const stats = async (id: string) => {
    asked.set(id, (asked.get(id) ?? 0) + 1);
    return { ok: true, value: { campaign_id: id, status: 'running', n: asked.get(id) } };
  };
  let open = 0;
  const opened = (n: number) => {
    open = n;
  };
  const streams = createStatsStreams({ stats } as unknown as CampaignReads, opened, 20);
  const readers = IDS.flatMap((id) => Array.from({ length: 30 }, () => reader(id)));
  for (const r of readers) await streams.handler(r.request);
  t.is(open, 60);
  await until('numbers have come', () => readers.every((r) => r.events() >= 5));
  for (const [i, id] of IDS.entries()) {
    const most = Math.max(...readers.slice(i * 30, i * 30 + 30).map((r) => r.events()));
    // One when it connects, then one for all of them.
    t.true((asked.get(id) ?? 0) <= 30 + most, `${asked.get(id)} questions for ${most} numbers`);
  }
  for (const r of readers.slice(0, 30)) r.leave();
  t.is(open, 30);
  const before = asked.get(IDS[0] as string);
  const events = readers[59]?.events() ?? 0;
  await until('the other campaign goes on', () => (readers[59]?.events() ?? 0) >= events + 3);
  t.true((asked.get(IDS[0] as string) ?? 0) <= (before ?? 0) + 1, 'nobody reads it any more, nobody asks');
  streams.close();
  t.true(readers.slice(30).every((r) => r.ended()));
  t.is(open, 0);
});

test('a reader that leaves before the first number has come leaves nothing behind', async (t) => {
  const first = Promise.withResolvers<unknown>();
  const opened: number[] = [];
  const reads = { stats: () => first.promise } as unknown as CampaignReads;
  const streams = createStatsStreams(reads, (n) => opened.push(n));
  const [gone, stays] = [reader(IDS[0] as string), reader(IDS[0] as string)];
  const answers = [gone, stays].map((r) => streams.handler(r.request));
  gone.leave();
  first.resolve({ ok: true, value: { status: 'running' } });
  t.deepEqual(await Promise.all(answers), [undefined, undefined]);
  t.deepEqual(opened, [1]);
  t.is(gone.text(), '');
  stays.leave();
  t.deepEqual(opened, [1, 0]);
  streams.close();
});

test('a campaign that is gone ends its streams; a store that is away does not', async (t) => {
  let mode: 'there' | 'away' | 'gone' = 'there';
  let refused = 0;
  const stats = async () => {
    if (mode === 'away') {
      refused += 1;
      throw new Error('away');
    }
    return mode === 'gone'
      ? { ok: false, failure: { code: 'not_found', detail: '' } }
      : { ok: true, value: { status: 'running' } };
  };
  const streams = createStatsStreams({ stats } as unknown as CampaignReads, () => {}, 10);
  const r = reader(IDS[0] as string);
  await streams.handler(r.request);
  mode = 'away';
  await until('it was asked in vain', () => refused > 2);
  t.false(r.ended());
  mode = 'there';
  const seen = r.events();
  await until('it goes on', () => r.events() > seen);
  mode = 'gone';
  await until('it ends', () => r.ended());
  t.pass();
});
