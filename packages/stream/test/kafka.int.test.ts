import test from 'ava';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { conformance } from '../src/testkit/conformance.ts';
import { withLogOperator } from './kafka-operator.ts';

const address = process.env.VOLLEY_TEST_KAFKA;
if (address === undefined) throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');

conformance(test, () => ({
  client: () => createKafkaClient({ brokers: [address], clientId: 'conformance' }),
  truncate: (topic, partition, to) =>
    withLogOperator(address, (operator) => operator.deleteRecords(topic, partition, to)),
}));
