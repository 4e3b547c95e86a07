import { posix } from 'node:path';
import { importsOf, type Source, withoutComments } from './_source.ts';

/**
 * The floors of the house as data: who may import whom. A place is where a file lies, or what an import names.
 * `lib` is any package from outside, `node` a module of Node itself.
 */
type Place =
  | 'package'
  | 'core'
  | 'story'
  | 'table'
  | 'adapter'
  | 'main'
  | 'app'
  | 'test'
  | 'script'
  | 'contract'
  | 'stream'
  | 'runtime'
  | 'lib'
  | 'node';

interface Floor {
  readonly place: Place;
  readonly path: RegExp;
  readonly mayImport: readonly Place[];
  readonly sentence: string;
}

const PACKAGES: readonly Place[] = ['contract', 'stream', 'runtime'];

/** The first one that fits decides. */
export const FLOORS: readonly Floor[] = [
  {
    place: 'test',
    path: /(^|\/)(test|bench|testkit)\/|^test\//,
    mayImport: [
      'test',
      'package',
      'core',
      'story',
      'table',
      'adapter',
      'main',
      'app',
      'script',
      ...PACKAGES,
      'lib',
      'node',
    ],
    sentence: 'tests may import their own room, packages and libraries',
  },
  {
    place: 'package',
    path: /^packages\/[^/]+\/src\//,
    mayImport: ['package', 'lib', 'node'],
    sentence: 'floor 1: a package imports its own files and libraries, never another package',
  },
  {
    place: 'core',
    path: /^services\/[^/]+\/src\/core\//,
    mayImport: ['core', 'contract'],
    sentence: 'floor 2: core imports contract and its own core; it takes facts and `now`, and returns a value',
  },
  {
    place: 'adapter',
    path: /^services\/[^/]+\/src\/(adapters|http)\//,
    mayImport: ['adapter', 'core', 'table', 'story', ...PACKAGES, 'lib', 'node'],
    sentence: 'floor 4: an adapter imports ports, core, packages and libraries',
  },
  {
    place: 'main',
    path: /^services\/[^/]+\/src\/(main|migrate|rebuild|replay)\.ts$/,
    mayImport: ['core', 'story', 'table', 'adapter', ...PACKAGES, 'lib', 'node'],
    sentence: 'floor 5: main imports everything of its own service',
  },
  {
    place: 'table',
    path: /^services\/[^/]+\/src\/(config|metrics)\.ts$/,
    mayImport: ['table', ...PACKAGES],
    sentence: 'the tables of settings and metrics are data: they import package types only',
  },
  {
    place: 'story',
    path: /^services\/[^/]+\/src\/[^/]+\.ts$/,
    mayImport: ['core', 'story', 'table', ...PACKAGES],
    sentence: 'floor 3: ports and pipelines import core, contract and package types; what does I/O is handed to them',
  },
  {
    place: 'app',
    path: /^apps\/[^/]+\/src\//,
    mayImport: ['app', ...PACKAGES, 'lib', 'node'],
    sentence: 'apps import packages, and a service only as a process',
  },
  {
    place: 'script',
    path: /^(scripts|dashboards|apps\/[^/]+\/bin)\//,
    mayImport: ['script', 'package', 'table', 'test', 'app', 'core', 'story', 'adapter', ...PACKAGES, 'lib', 'node'],
    sentence: 'scripts make files of the repository from its tables',
  },
];

/** Libraries without I/O, clock or chance that a story may use. */
const PURE_LIBRARIES = new Set(['lru-cache', 'zod']);
/** The adapter, its tests, the benches that measure the bare client, and the fault kit where it speaks as a stranger. */
const KAFKAJS = /^packages\/stream\/(src\/adapters|test)\/kafka|\/bench\/|^test\/faults\/scenarios\/hostile-words/;
const CONTRACT_WITH_IO = '@volley/contract/registry';

const floorOf = (path: string): Floor | undefined => FLOORS.find((floor) => floor.path.test(path));
/** `services/sink`, `packages/contract`, `apps/cli`: nobody reaches into another one by a relative path. */
const roomOf = (path: string): string => /^(services|packages|apps)\/[^/]+/.exec(path)?.[0] ?? '';
/** `adapters/smtp/` of a service; a file directly in adapters/ is an adapter of its own. */
const adapterOf = (path: string): string =>
  /\/src\/((?:adapters\/[^/]+?)|http)(?:\/|\.ts$|-[^/]*\.ts$)/.exec(path)?.[1] ?? path;

function importError(from: Source, floor: Floor, specifier: string): string | undefined {
  const told = (what: string) => `${from.path} imports ${specifier}: ${what}`;
  if (/^@volley\//.test(specifier)) {
    const name = specifier.split('/')[1] as string;
    if ((PACKAGES as readonly string[]).includes(name)) {
      if (floor.place === 'core' && specifier === CONTRACT_WITH_IO) return told('core imports nothing that does I/O');
      return floor.mayImport.includes(name as Place) ? undefined : told(floor.sentence);
    }
    if (['ingest-api', 'dispatcher', 'sink'].includes(name)) return told('nobody imports a service but as a process');
    return floor.mayImport.includes('app') ? undefined : told(floor.sentence);
  }
  if (specifier === 'kafkajs' && !KAFKAJS.test(from.path))
    return told('kafkajs is known to the kafka adapter of packages/stream only');
  if (specifier.startsWith('node:')) return floor.mayImport.includes('node') ? undefined : told(floor.sentence);
  if (!specifier.startsWith('.')) {
    const pure = floor.place === 'story' && PURE_LIBRARIES.has(specifier);
    return pure || floor.mayImport.includes('lib') ? undefined : told(floor.sentence);
  }
  const target = posix.join(posix.dirname(from.path), specifier);
  const room = roomOf(from.path);
  if (room !== '' && roomOf(target) !== '' && roomOf(target) !== room) {
    if (room.startsWith('services') && roomOf(target).startsWith('services'))
      return told('services never import each other');
    if (room.startsWith('packages') && roomOf(target).startsWith('packages'))
      return told('floor 1: packages never import each other');
    return told('another room is imported by its name, not by a path');
  }
  const targetFloor = floorOf(target);
  if (!targetFloor) return undefined;
  if (targetFloor.place === 'main' && floor.place !== 'test') return told('nobody imports main');
  if (floor.place === 'adapter') {
    if (targetFloor.place === 'adapter' && adapterOf(target) !== adapterOf(from.path))
      return told('floor 4: an adapter never imports another adapter');
    if (
      /\/src\/adapters\//.test(from.path) &&
      targetFloor.place === 'story' &&
      !/\/(?:[a-z-]+-)?ports\.ts$/.test(target)
    )
      return told('floor 4: an adapter knows the ports, never the pipeline');
  }
  return floor.mayImport.includes(targetFloor.place) ? undefined : told(floor.sentence);
}

interface TextRule {
  readonly where: RegExp;
  readonly except?: RegExp;
  readonly pattern: RegExp;
  readonly sentence: string;
}

const ALL = /./;
const SRC = /^(packages|services|apps)\/[^/]+\/src\//;
const TOPIC =
  /(?:['"`][\w-]+|\})\.(?:messages\.(?:bulk|transactional|retry|held|dlq)|deliveries(?:\.dlq)?|campaigns)(?=['"`.])/;

/** What may stand in code (comments left out), and where. */
export const TEXT_RULES: readonly TextRule[] = [
  {
    where: /^services\/[^/]+\/src\/core\//,
    pattern:
      /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bprocess\.|\bperformance\.now\b|\brandomUUID\b|\bset(?:Timeout|Interval|Immediate)\b|\bfetch\(/,
    sentence: 'core has no clock, no chance, no process and no I/O: they are arguments',
  },
  {
    where: /^(packages|services)\/[^/]+\/src\//,
    except: /^services\/[^/]+\/src\/(main|migrate|rebuild|replay)\.ts$/,
    pattern: /\bprocess\.env\b|\bimport\.meta\.env\b/,
    sentence: 'main is the only reader of the environment',
  },
  {
    where: ALL,
    except: /^test\/(_floors|architecture\.test)\.ts$/,
    pattern: /\.NODE_ENV\b|\['NODE_ENV'\]/,
    sentence: 'nothing depends on NODE_ENV',
  },
  {
    where: SRC,
    except: /^packages\/contract\/src\/topics\.ts$/,
    pattern: TOPIC,
    sentence: 'topic names stand in packages/contract/src/topics.ts',
  },
  {
    where: SRC,
    except: /^packages\/contract\/src\/headers\.ts$/,
    pattern:
      /['"`](?:v-(?:message-id|tenant-id|campaign-id|lane|attempt|deferrals|not-before)|volley-(?:reason|origin|attempts|first-failed-at|last-failed-at|error))['"`]/,
    sentence: 'header names stand in packages/contract/src/headers.ts',
  },
  {
    where: /^(packages|services)\/[^/]+\/src\//,
    except: /^services\/[^/]+\/src\/metrics\.ts$/,
    pattern: /['"`]volley_\w+_(?:total|seconds|bytes|ratio|records)['"`]/,
    sentence: "metric names stand in their service's metrics.ts",
  },
  {
    where: SRC,
    except: /^packages\/[^/]+\/src\/index\.ts$/,
    pattern: /\bexport\s+\*\s+from\b/,
    sentence: "no barrels but a package's one index.ts",
  },
];

const LINES: readonly { where: RegExp; most: number; sentence: string }[] = [
  {
    where: /^services\/[^/]+\/src\/pipeline\.ts$/,
    most: 249,
    sentence: 'pipeline.ts tells its story in under 250 lines',
  },
  { where: ALL, most: 400, sentence: "400 lines are the end of a file's life" },
];

/** A reason that is written down must be one of the list; what `reason:` means elsewhere is not looked at. */
function reasonErrors(file: Source, code: string, reasons: ReadonlySet<string>): string[] {
  if (!/^services\/(dispatcher|sink)\/src\/|^packages\/contract\/src\/(codec|render|dead-letter)\.ts$/.test(file.path))
    return [];
  return [...code.matchAll(/\breason: '([^']*)'/g)]
    .map((m) => m[1] as string)
    .filter((reason) => reason !== '' && reason !== 'needs_schema' && !reasons.has(reason))
    .map((reason) => `${file.path} says ${reason}: reasons stand in packages/contract/src/reasons.ts`);
}

/** Sentences, one for each rule that a file breaks. */
export function violations(file: Source, reasons: ReadonlySet<string>): string[] {
  const code = withoutComments(file.text);
  const out: string[] = [];
  const floor = floorOf(file.path);
  if (floor) for (const specifier of importsOf(file.text)) out.push(importError(file, floor, specifier) ?? '');
  for (const rule of TEXT_RULES) {
    if (!rule.where.test(file.path) || rule.except?.test(file.path) || (floor?.place === 'test' && rule.where === SRC))
      continue;
    const hit = rule.pattern.exec(code);
    if (!hit) continue;
    const line = code.slice(0, hit.index).split('\n').length;
    out.push(`${file.path}:${line} has ${hit[0]}: ${rule.sentence}`);
  }
  const lines = file.text.split('\n').length - 1;
  const limit = LINES.find((l) => l.where.test(file.path));
  if (limit && lines > limit.most && !/\.generated\./.test(file.path))
    out.push(`${file.path} has ${lines} lines: ${limit.sentence}`);
  out.push(...reasonErrors(file, code, reasons));
  return out.filter(Boolean);
}
