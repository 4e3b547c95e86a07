import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { spawnChild } from './process/child.ts';
import type { PortPicker } from './process/ports.ts';
import { type SetupContext, toolEnvironment } from './setup/cache.ts';
import { ensureChdb } from './setup/chdb-package.ts';
import { ensureClassArchive } from './setup/class-archive.ts';
import { findJava, type Java } from './setup/java.ts';
import { ensureKafkaJars } from './setup/kafka-jars.ts';
import { ensureRegistryApp } from './setup/registry-app.ts';
import { formatKafka, type KafkaRuntime, kafkaMain, writeKafkaConfig } from './stores/kafka.ts';
import { kafkaAnswers } from './stores/kafka-probe.ts';
import { type RegistryRuntime, registryAddress, registryAnswers, registryMain } from './stores/registry.ts';
import { until } from './until.ts';

/** Each of these has nothing to do when the cache is warm, and runs beside the others when it is not. */
export async function setUpKafka(context: SetupContext, ports: PortPicker): Promise<KafkaRuntime> {
  const java = await findJava();
  const jars = await ensureKafkaJars(context);
  const archive = await ensureClassArchive(context, 'kafka', java, jars.join(':'), async (writeFlag, temporary) => {
    const folder = path.join(temporary, 'training');
    const training = { broker: await ports.any('kafka'), controller: await ports.any('controller') };
    writeKafkaConfig(folder, training);
    await formatKafka(folder, { java, jars, archive: undefined }, context.logFile, context.signal);
    const args = [...kafkaMain(folder, jars, 'kafka.Kafka'), path.join(folder, 'server.properties')];
    await train(context, java, folder, writeFlag, args, () => kafkaAnswers(training.broker, 2000));
  });
  return { java, jars, archive };
}

export async function setUpRegistry(context: SetupContext, ports: PortPicker): Promise<RegistryRuntime> {
  const java = await findJava();
  const app = await ensureRegistryApp(context);
  const archive = await ensureClassArchive(context, 'registry', java, app, async (writeFlag, temporary) => {
    const folder = path.join(temporary, 'training');
    const port = await ports.any('registry');
    await train(context, java, folder, writeFlag, registryMain(app, folder, port), () =>
      registryAnswers(registryAddress(port)),
    );
  });
  return { java, app, archive };
}

export const setUpClickHouse = (context: SetupContext): Promise<string> => ensureChdb(context);

/** The archive is written when the JVM ends, which takes 2 s: hence the long grace. */
async function train(
  context: SetupContext,
  java: Java,
  folder: string,
  writeFlag: string,
  args: string[],
  ready: () => Promise<boolean>,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const child = await spawnChild({
    name: 'class archive',
    command: java.command,
    args: ['-Xmx512m', '-XX:+UseSerialGC', writeFlag, ...args],
    env: toolEnvironment(),
    cwd: folder,
    logFile: context.logFile,
    stopGraceMs: 60_000,
  });
  try {
    await until(ready, { timeoutMs: 60_000, signal: context.signal, gone: child.exited });
  } finally {
    await child.stop();
  }
}
