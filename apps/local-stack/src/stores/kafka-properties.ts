export interface KafkaPorts {
  broker: number;
  controller: number;
}

/** One KRaft node, broker and controller. What is not here is the broker's own default, as in production. */
export function kafkaProperties(ports: KafkaPorts, logFolder: string): string {
  const one = [
    'offsets.topic.replication.factor',
    'transaction.state.log.replication.factor',
    'transaction.state.log.min.isr',
    'share.coordinator.state.topic.replication.factor',
    'share.coordinator.state.topic.min.isr',
    'share.coordinator.state.topic.num.partitions',
  ];
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    // Static voters: a dynamic quorum keeps its addresses in the log, and then a port could not change between runs.
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.broker}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logFolder,
    'offsets.topic.num.partitions': 8,
    // 100 days. A group that was away must find its place for as long as its records are kept (deliveries: 90 days); the
    // default of 7 would leave it without one while the log still has what it did not read.
    'offsets.retention.minutes': 144_000,
    'transaction.state.log.num.partitions': 8,
    ...Object.fromEntries(one.map((name) => [name, 1])),
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': 'false',
    // One `sendBatch` is one record batch a partition, and the whole of a small campaign goes to one partition.
    'message.max.bytes': 4 * 1024 * 1024,
    'replica.fetch.max.bytes': 4 * 1024 * 1024,
    // The default is 128 MiB of heap, a quarter of what this JVM may have.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    // After SIGKILL the old registration has to lapse first: 3 s with these, 11 s with the defaults.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 2,
  };
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

/** Warnings go to kafka.log: the broker alone says 400 lines of INFO at a start. */
export const kafkaLogging = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d{yyyy-MM-dd'T'HH:mm:ss.SSS} %p %c{1} %m%n"/></Console></Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Logger name="org.apache.kafka.common.utils.AppInfoParser" level="ERROR"/>
  </Loggers>
</Configuration>
`;
