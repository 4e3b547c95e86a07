import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createDecoder, createEncoder } from '../src/codec.ts';
import type { Message } from '../src/records.generated.ts';
import { SCHEMA_TEXTS } from '../src/records.generated.ts';
import { createRegistry, IncompatibleSchema, RegistryUnavailable } from '../src/registry.ts';
import { recordsByTopic, subjectOf, topicsOf } from '../src/topics.ts';
import { GOLDEN_VALUES } from './_golden-values.ts';
import { schemaCases } from './_schemas.ts';

/** Base of a Confluent-compatible API. Every test uses a namespace of its own. */
function registryUrl(): string {
  const url = process.env.VOLLEY_TEST_REGISTRY;
  if (!url) throw new Error('VOLLEY_TEST_REGISTRY is not set: run this through npm test, or point it at a registry');
  return url;
}

let namespaces = 0;
const freshTopics = () => topicsOf(`test-${process.pid}-${Date.now().toString(36)}-${namespaces++}`);

const registryAt = (url: string, nowMs: () => number = () => performance.now()) =>
  createRegistry({ url, clientId: 'registry-test', nowMs });

/** Stands between client and registry: counts, and fails in the ways that registries fail. */
interface Gate {
  readonly url: string;
  readonly paths: string[];
  mode: 'pass' | 'reset' | 'status 503' | 'status 500' | 'not json' | 'silent';
  close(): Promise<void>;
}

async function openGate(): Promise<Gate> {
  const target = new URL(registryUrl());
  const paths: string[] = [];
  const gate = { mode: 'pass' as Gate['mode'] };
  const server: Server = createServer((req, res) => {
    paths.push(`${req.method} ${req.url}`);
    if (gate.mode === 'silent') return;
    if (gate.mode === 'reset') return void req.socket.destroy();
    if (gate.mode.startsWith('status')) return void res.writeHead(Number(gate.mode.slice(7))).end('{"message":"no"}');
    if (gate.mode === 'not json') return void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    const options = { host: target.hostname, port: target.port, path: req.url, method: req.method };
    const onward = request({ ...options, headers: { ...req.headers, host: target.host } }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(gate, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${target.pathname}`,
    paths,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

// One after the other: all at once they take a cold registry longer than a request may wait.
test.before(() => {
  registryUrl();
});

test.serial('registering everything twice gives the same ids, one subject for each topic and record', async (t) => {
  const topics = freshTopics();
  const first = await registryAt(registryUrl()).registerAll(topics);
  const second = await registryAt(registryUrl()).registerAll(topics);
  t.deepEqual(second, first);
  t.deepEqual(
    first.map((r) => r.subject).sort(),
    recordsByTopic(topics)
      .map((r) => subjectOf(r.topic, r.record))
      .sort(),
  );
  for (const { topic, record } of recordsByTopic(topics)) {
    const expected = first.find((r) => r.subject === subjectOf(topic, record))?.id;
    t.is(await registryAt(registryUrl()).idOf(topic, record), expected as number);
  }
});

test.serial('a service that starts before the set-up is told what to run', async (t) => {
  const error = await t.throwsAsync(registryAt(registryUrl()).idOf(freshTopics().campaigns, 'CampaignEvent'), {
    instanceOf: RegistryUnavailable,
  });
  t.regex(error?.message ?? '', /not registered.*volley setup/);
});

test.serial('what was written under a registered id is read by a process that never saw it', async (t) => {
  const topics = freshTopics();
  await registryAt(registryUrl()).registerAll(topics);
  const writer = registryAt(registryUrl());
  const value = GOLDEN_VALUES['message.v1']?.full as unknown as Message;
  const bytes = createEncoder('Message', await writer.idOf(topics.messages.bulk, 'Message'))(value);
  const { store } = registryAt(registryUrl());
  const decode = createDecoder('Message', store);
  const first = decode(bytes);
  t.like(first, { reason: 'needs_schema' });
  await store.load((first as { schemaId: number }).schemaId);
  t.like(decode(bytes), { ok: true, value: { recipient: value.recipient, tags: value.tags } });
});

test.serial(
  'an id that the registry does not have is unknown, is not asked for again, and is after a minute',
  async (t) => {
    const gate = await openGate();
    t.teardown(gate.close);
    let nowMs = 0;
    const { store } = registryAt(gate.url, () => nowMs);
    t.is(store.get(2_000_000_001), undefined);
    await store.load(2_000_000_001);
    t.is(store.get(2_000_000_001), 'unknown');
    const asked = gate.paths.length;
    nowMs = 59_999;
    t.is(store.get(2_000_000_001), 'unknown');
    t.is(gate.paths.length, asked);
    nowMs = 60_000;
    t.is(store.get(2_000_000_001), undefined);
  },
);

for (const mode of ['reset', 'status 503', 'status 500', 'not json', 'silent'] as const) {
  test.serial(`a registry that cannot answer (${mode}) says nothing of an id: it is asked again`, async (t) => {
    const topics = freshTopics();
    const [{ id } = { id: 0 }] = await registryAt(registryUrl()).registerAll(topics);
    const gate = await openGate();
    t.teardown(gate.close);
    const registry = registryAt(gate.url);
    gate.mode = mode;
    await t.throwsAsync(registry.store.load(id), { instanceOf: RegistryUnavailable });
    t.is(registry.store.get(id), undefined);
    await t.throwsAsync(registry.idOf(topics.campaigns, 'CampaignEvent'), { instanceOf: RegistryUnavailable });
    gate.mode = 'pass';
    await registry.store.load(id);
    t.is((registry.store.get(id) as { name?: string }).name, 'volley.CampaignEvent');
    t.is(typeof (await registry.idOf(topics.campaigns, 'CampaignEvent')), 'number');
  });
}

test.serial('a registry that is not there rejects as unavailable', async (t) => {
  const gate = await openGate();
  await gate.close();
  const { store } = registryAt(gate.url);
  await t.throwsAsync(store.load(1), { instanceOf: RegistryUnavailable });
  t.is(store.get(1), undefined);
});

test.serial('fifty records of one unknown schema ask once', async (t) => {
  const topics = freshTopics();
  const [{ id } = { id: 0 }] = await registryAt(registryUrl()).registerAll(topics);
  const gate = await openGate();
  t.teardown(gate.close);
  const { store } = registryAt(gate.url);
  await Promise.all(Array.from({ length: 50 }, () => store.load(id)));
  t.deepEqual(
    gate.paths.filter((p) => p.includes(`/schemas/ids/${id}`)),
    gate.paths.slice(0, 1),
  );
  t.is((store.get(id) as { name?: string }).name, 'volley.CampaignEvent');
});

test.serial('a schema of a shape that the codec does not read is as good as unknown', async (t) => {
  const registry = registryAt(registryUrl());
  const schema = { type: 'record', name: 'Foreign', fields: [{ name: 'm', type: { type: 'map', values: 'string' } }] };
  const id = await registry.register(`${freshTopics().campaigns}-Foreign`, JSON.stringify(schema));
  await registry.store.load(id);
  t.is(registry.store.get(id), 'unknown');
});

test.serial('F25: an incompatible schema is refused, and what was registered stays usable', async (t) => {
  const topics = freshTopics();
  const registry = registryAt(registryUrl());
  await registry.registerAll(topics);
  const subject = subjectOf(topics.messages.bulk, 'Message');
  const before = await registry.idOf(topics.messages.bulk, 'Message');
  const widened = schemaCases('incompatible').find((c) => c.file === 'message-type-widened.avsc')?.text as string;
  await t.throwsAsync(registry.register(subject, widened), { instanceOf: IncompatibleSchema });
  t.is(await registryAt(registryUrl()).idOf(topics.messages.bulk, 'Message'), before);
  t.is(await registry.register(subject, SCHEMA_TEXTS.Message), before);
});

test.serial('F25: a text that is no schema is refused', async (t) => {
  const registry = registryAt(registryUrl());
  const subject = `${freshTopics().campaigns}-volley.Message`;
  await t.throwsAsync(registry.register(subject, '{"type":"record","name":"Message"}'));
});

for (const { file, record, text } of schemaCases('compatible')) {
  test.serial(`the registry agrees: ${file} may follow`, async (t) => {
    const registry = registryAt(registryUrl());
    const subject = `${freshTopics().campaigns}-volley.${record}`;
    const first = await registry.register(subject, SCHEMA_TEXTS[record]);
    t.not(await registry.register(subject, text), first);
  });
}

/** Avro permits these: a field that is gone has a default. Our own check is stricter than a registry need be. */
const STRICTER_THAN_THE_REGISTRY = new Set([
  'delivery-event-enum-default-changed.avsc',
  'delivery-event-enum-default-removed.avsc',
  'delivery-event-symbol-removed.avsc',
  'message-default-changed.avsc',
  'message-field-removed.avsc',
  'message-field-renamed-with-alias.avsc',
  'message-field-renamed.avsc',
  'message-logical-type-dropped.avsc',
  'message-map-added.avsc',
]);

for (const { file, record, text } of schemaCases('incompatible')) {
  if (STRICTER_THAN_THE_REGISTRY.has(file)) continue;
  test.serial(`F25: the registry refuses ${file}`, async (t) => {
    const registry = registryAt(registryUrl());
    const subject = `${freshTopics().campaigns}-volley.${record}`;
    await registry.register(subject, SCHEMA_TEXTS[record]);
    await t.throwsAsync(registry.register(subject, text), { instanceOf: IncompatibleSchema });
  });
}
