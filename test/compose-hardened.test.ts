import test from 'ava';
import { text, yaml } from './dashboards/read.ts';

interface Container {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly privileged?: boolean;
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}
const services = Object.entries(yaml('docker-compose.yml').services as Record<string, Container>);

for (const [name, of] of services) {
  test(`${name}: does not run as root`, (t) => {
    if (of.build) t.regex(text('Dockerfile'), /^USER node$/m);
    else t.regex(of.user ?? '', /^[1-9]\d*:\d+$/);
  });

  test(`${name}: its file system is read-only, no capability is left, none can be gained`, (t) => {
    t.true(of.read_only);
    t.deepEqual(of.cap_drop, ['ALL']);
    t.deepEqual(of.security_opt, ['no-new-privileges:true']);
    t.is(of.cap_add, undefined);
    t.is(of.privileged, undefined);
  });

  test(`${name}: has limits of memory and of processes, and what it writes to memory has one too`, (t) => {
    t.regex(of.mem_limit ?? '', /^\d+[mg]$/);
    t.true((of.pids_limit ?? 0) > 0);
    t.true((of.tmpfs ?? []).some((mount) => mount.startsWith('/tmp:')));
    for (const mount of of.tmpfs ?? []) t.regex(mount, /[:,]size=\d+m$/);
  });

  test(`${name}: files of the repository are mounted for reading only`, (t) => {
    const writable = (of.volumes ?? []).filter((volume) => volume.startsWith('.') && !volume.endsWith(':ro'));
    t.deepEqual(writable, []);
  });
}

test('the heap of the broker leaves room for its page cache within the limit', (t) => {
  const { environment, mem_limit } = services.find(([name]) => name === 'kafka')?.[1] ?? {};
  const heap = Number(/-Xmx(\d+)m/.exec(environment?.KAFKA_HEAP_OPTS ?? '')?.[1]);
  t.true(heap > 0 && heap <= Number(mem_limit?.replace('m', '')) * 0.7);
});
