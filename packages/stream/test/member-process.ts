// A member of a group in a process of its own, to be killed. Arguments: broker, group, topic, clientId.
import { createKafkaClient } from '../src/adapters/kafka.ts';

const [broker = '', groupId = '', topic = '', clientId = ''] = process.argv.slice(2);
const client = createKafkaClient({ brokers: [broker], clientId });
const consumer = client.consumer({
  groupId,
  topics: [topic],
  clientId,
  events: { onBatch: () => {}, onAssigned: () => {}, onRevoked: () => {}, onFatal: () => process.exit(1) },
});
await consumer.start();
process.stdout.write('joined\n');
