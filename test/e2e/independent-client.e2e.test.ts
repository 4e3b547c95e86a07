import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Consumer, MessagesStreamModes, stringDeserializers } from '@platformatic/kafka';
import { type CampaignEvent, type DeliveryEvent, isTerminal, type Message, messageIdOf } from '@volley/contract';
import test from 'ava';
import { people } from '../support/people.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';

let p: TestPlatform;
test.before(async () => {
  p = await startTestPlatform('independent');
});
test.after.always(() => p?.stop());

test('another client with the stock registry client reads all three record types by schema id', async (t) => {
  const total = 30;
  await p.api.importContacts(people('read', total));
  const id = await p.api.create({ segment_rule: 'read', name: 'Für alle 🎉' });
  await p.api.send(id);
  await p.api.untilEnded(id);

  const registry = new SchemaRegistry({ host: p.stores.registry });
  const decode = async <T>(value: Buffer): Promise<T> => (await registry.decode(value)) as T;
  const { campaigns, messages, deliveries } = p.topics;
  const events: CampaignEvent[] = [];
  const sent: Message[] = [];
  const ends: DeliveryEvent[] = [];
  const deserializers = { ...stringDeserializers, value: (value?: Buffer) => value as Buffer };
  const consumer = new Consumer({
    groupId: `${p.stores.namespace}.another-team`,
    clientId: 'another-team',
    bootstrapBrokers: [p.stores.kafka],
    deserializers,
    autocommit: false,
  });
  try {
    const stream = await consumer.consume({
      topics: [campaigns, messages.bulk, deliveries],
      mode: MessagesStreamModes.EARLIEST,
      sessionTimeout: 10_000,
      maxWaitTime: 100,
    });
    const done = () => ends.length === total && sent.length === total && events.some((e) => e.status === 'completed');
    const timer = setTimeout(() => stream.destroy(new Error('not everything was read within 30 s')), 30_000);
    for await (const message of stream) {
      t.is(message.key, id, 'the key is the campaign');
      if (message.topic === campaigns) events.push(await decode<CampaignEvent>(message.value));
      else if (message.topic === messages.bulk) sent.push(await decode<Message>(message.value));
      else {
        const event = await decode<DeliveryEvent>(message.value);
        if (isTerminal(event.kind)) ends.push(event);
      }
      if (done()) break;
    }
    clearTimeout(timer);
    await stream.close();
  } finally {
    await consumer.close(true);
  }

  t.deepEqual(
    events.map((event) => event.version),
    events.map((_, i) => i + 1),
    'versions in order, without a gap',
  );
  t.like(events.at(-1), { campaign_id: id, type: 'completed', status: 'completed', name: 'Für alle 🎉' });
  t.is(Number(events.at(-1)?.expected), total);
  const ids = Array.from({ length: total }, (_, i) => messageIdOf(id, i + 1)).sort();
  t.deepEqual(sent.map((message) => message.message_id).sort(), ids);
  t.deepEqual(ends.map((event) => event.message_id).sort(), ids);
  for (const message of sent) t.like(JSON.parse(message.vars), { city: 'Łódź' });
  for (const end of ends) t.true(Number(end.occurred_at) >= Number(end.queued_at));
});
