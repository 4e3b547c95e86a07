import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { toolEnvironment } from '../setup/cache.ts';
import { archiveFlags } from '../setup/class-archive.ts';
import type { Java } from '../setup/java.ts';
import { registryJar } from '../setup/registry-app.ts';
import type { Store, StoreContext } from './store.ts';

export interface RegistryRuntime {
  java: Java;
  app: string;
  archive: string | undefined;
}

const jvmFlags = [
  '-Xms32m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:MaxDirectMemorySize=64m',
  '-XX:-UsePerfData',
];

export function createRegistry(context: StoreContext, runtime: RegistryRuntime, port: number): Store {
  const folder = path.join(context.dataDir, 'registry');
  const address = registryAddress(port);
  return {
    name: 'registry',
    address,
    async prepare() {
      mkdirSync(folder, { recursive: true });
    },
    child: () => ({
      name: 'registry',
      command: runtime.java.command,
      args: [...jvmFlags, ...archiveFlags(runtime.archive), ...registryMain(runtime.app, folder, port)],
      env: toolEnvironment(),
      cwd: folder,
      logFile: path.join(context.logDir, 'registry.log'),
    }),
    ready: () => registryAnswers(address),
    // It forgets this at every start and is at NONE.
    settle: () => setCompatibility(address, 'FULL_TRANSITIVE'),
  };
}

export function registryAddress(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`;
}

export function registryMain(app: string, folder: string, port: number): string[] {
  return [
    '-Dquarkus.http.host=127.0.0.1',
    `-Dquarkus.http.port=${port}`,
    `-Dapicurio.datasource.url=jdbc:h2:file:${path.join(folder, 'schemas')}`,
    '-Dapicurio.datasource.jdbc.initial-size=1',
    '-Dapicurio.datasource.jdbc.min-size=1',
    '-Dapicurio.datasource.jdbc.max-size=8',
    '-Dquarkus.http.access-log.enabled=false',
    '-Dquarkus.log.level=WARN',
    '-jar',
    path.join(app, registryJar),
  ];
}

export async function registryAnswers(address: string): Promise<boolean> {
  const response = await fetch(`${address}/subjects`, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  return response.ok;
}

async function setCompatibility(address: string, compatibility: string): Promise<void> {
  const response = await fetch(`${address}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility }),
    signal: AbortSignal.timeout(5000),
  });
  if (!response.ok)
    throw new Error(`registry refused compatibility ${compatibility}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}
