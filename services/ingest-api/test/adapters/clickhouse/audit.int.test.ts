import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createAuditReader } from '../../../src/adapters/clickhouse/audit.ts';
import { factsOf } from '../../support/audit.ts';

test('a question to ClickHouse ends with the audit that asked it', async (t) => {
  const hanging = createServer(() => {});
  await once(hanging.listen(0, '127.0.0.1'), 'listening');
  const { port } = hanging.address() as AddressInfo;
  const reader = createAuditReader({ url: `http://127.0.0.1:${port}`, database: 'd', clientId: 'test' });
  const facts = factsOf();
  const ASKED: ((gone: AbortSignal) => Promise<unknown>)[] = [
    (gone) => reader.campaign(facts, [], gone),
    (gone) => reader.ids('missing', facts, 1, gone),
    (gone) => reader.ids('states', facts, 1, gone),
    (gone) => reader.ids('listed', facts, 1, gone),
    (gone) => reader.ids('alien', facts, 1, gone),
    (gone) => reader.repeats(facts, 1, gone),
    (gone) => reader.partitions(gone),
    (gone) => reader.missingOffsets(0, 0, 9, 1, gone),
    (gone) => reader.doubledOffsets(0, 1, gone),
  ];
  for (const ask of ASKED) {
    const stop = new AbortController();
    const asked = once(hanging, 'request') as Promise<[IncomingMessage]>;
    const answer = ask(stop.signal);
    const [request] = await asked;
    const closed = once(request.socket, 'close');
    stop.abort(new Error('stopped'));
    await t.throwsAsync(answer, { message: 'stopped' });
    await closed;
  }
  await reader.close();
  hanging.close();
});
