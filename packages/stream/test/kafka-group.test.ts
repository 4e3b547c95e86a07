import { createRequire } from 'node:module';
import test from 'ava';
import type { Cluster } from 'kafkajs';
import { onJoinGivenUp } from '../src/adapters/kafka-group.ts';

interface Group {
  joinAndSync(): Promise<void>;
}

const ConsumerGroup = createRequire(import.meta.url)('kafkajs/src/consumer/consumerGroup.js') as new (
  given: object,
) => Group;

const quiet = { namespace: () => quiet, info() {}, warn() {}, debug() {}, error() {} };

/** kafkajs' own group member on a cluster whose coordinator answers joins with these errors, one after the other. */
function memberOf(errors: readonly Error[]) {
  const left = [...errors];
  let joins = 0;
  const cluster = {
    async findGroupCoordinator() {
      return {
        async joinGroup() {
          joins += 1;
          throw left.shift() ?? new Error('no answer is left');
        },
      };
    },
  } as unknown as Cluster;
  const group = new ConsumerGroup({
    cluster,
    groupId: 'group',
    topics: ['topic'],
    assigners: [],
    logger: quiet,
    retry: { initialRetryTime: 1, retries: 3 },
  });
  return { cluster, group, joins: () => joins };
}

const refusal = (type: string) => Object.assign(new Error(type), { type, retriable: true });

test('a join that kafkajs gives up is told, once, to the consumer whose it was', async (t) => {
  const one = memberOf([refusal('GROUP_LOAD_IN_PROGRESS')]);
  const other = memberOf([]);
  const told: string[] = [];
  onJoinGivenUp(one.cluster, ({ message }) => told.push(`one: ${message}`));
  onJoinGivenUp(other.cluster, ({ message }) => told.push(`other: ${message}`));
  await t.throwsAsync(one.group.joinAndSync(), { message: 'GROUP_LOAD_IN_PROGRESS' });
  t.deepEqual(told, ['one: GROUP_LOAD_IN_PROGRESS']);
});

test('a join that kafkajs repeats by itself is not told of until it is given up', async (t) => {
  const { cluster, group, joins } = memberOf([
    refusal('REBALANCE_IN_PROGRESS'),
    refusal('UNKNOWN_MEMBER_ID'),
    refusal('NOT_COORDINATOR_FOR_GROUP'),
    refusal('GROUP_LOAD_IN_PROGRESS'),
  ]);
  const toldAfter: number[] = [];
  onJoinGivenUp(cluster, () => toldAfter.push(joins()));
  await t.throwsAsync(group.joinAndSync(), { message: 'GROUP_LOAD_IN_PROGRESS' });
  t.deepEqual(toldAfter, [4]);
});
