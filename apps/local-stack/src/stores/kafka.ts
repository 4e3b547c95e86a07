import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runTool } from '../process/run-tool.ts';
import { toolEnvironment } from '../setup/cache.ts';
import { archiveFlags } from '../setup/class-archive.ts';
import type { Java } from '../setup/java.ts';
import { StackError } from '../stack-error.ts';
import { kafkaAnswers } from './kafka-probe.ts';
import { type KafkaPorts, kafkaLogging, kafkaProperties } from './kafka-properties.ts';
import type { Store, StoreContext } from './store.ts';

export interface KafkaRuntime {
  java: Java;
  jars: string[];
  archive: string | undefined;
}

/** C1 only: half the start, and no slower under this load. The heap's end is the store's part of the 1.5 GiB. */
const jvmFlags = [
  '-Xms64m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:MaxDirectMemorySize=128m',
  '-XX:-UsePerfData',
];

export function createKafka(context: StoreContext, runtime: KafkaRuntime, ports: KafkaPorts): Store {
  const folder = path.join(context.dataDir, 'kafka');
  const files = kafkaFiles(folder);
  return {
    name: 'kafka',
    address: `127.0.0.1:${ports.broker}`,
    async prepare() {
      // The storage tool is not atomic: without our mark, what it left is not a cluster.
      if (!existsSync(files.formatted)) rmSync(files.log, { recursive: true, force: true });
      writeKafkaConfig(folder, ports);
      if (existsSync(files.formatted)) return;
      await formatKafka(folder, runtime, context.setupLog, context.signal);
    },
    child: () => ({
      name: 'kafka',
      command: runtime.java.command,
      args: [
        ...jvmFlags,
        ...archiveFlags(runtime.archive),
        ...kafkaMain(folder, runtime.jars, 'kafka.Kafka'),
        files.properties,
      ],
      env: toolEnvironment(),
      cwd: folder,
      logFile: path.join(context.logDir, 'kafka.log'),
    }),
    ready: () => kafkaAnswers(ports.broker, 2000),
    settle: async () => {},
  };
}

function kafkaFiles(folder: string) {
  return {
    log: path.join(folder, 'log'),
    formatted: path.join(folder, 'formatted'),
    properties: path.join(folder, 'server.properties'),
    logging: path.join(folder, 'log4j2.xml'),
  };
}

export function writeKafkaConfig(folder: string, ports: KafkaPorts): void {
  const files = kafkaFiles(folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(files.properties, kafkaProperties(ports, files.log));
  writeFileSync(files.logging, kafkaLogging);
}

export function kafkaMain(folder: string, jars: string[], mainClass: string): string[] {
  return [
    '-Dlog4j2.disableJmx=true',
    `-Dlog4j2.configurationFile=${kafkaFiles(folder).logging}`,
    '-cp',
    jars.join(':'),
    mainClass,
  ];
}

export async function formatKafka(
  folder: string,
  runtime: KafkaRuntime,
  setupLog: string,
  signal?: AbortSignal,
): Promise<void> {
  const files = kafkaFiles(folder);
  // Kafka's form of an id is base64url, and its command line takes one that begins with a dash for an option.
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const result = await runTool(
    [
      runtime.java.command,
      ...jvmFlags,
      ...archiveFlags(runtime.archive),
      ...kafkaMain(folder, runtime.jars, 'kafka.tools.StorageTool'),
      'format',
      '-t',
      clusterId,
      '-c',
      files.properties,
    ],
    { cwd: folder, env: toolEnvironment(), logFile: setupLog, signal },
  );
  if (!result.ok)
    throw new StackError(`Kafka's storage could not be formatted in ${files.log}: ${result.tail.join(' | ')}`);
  writeFileSync(files.formatted, `${clusterId}\n`);
}
