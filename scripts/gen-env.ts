/**
 * The config tables of the services -> .env.example and docs/configuration.md. What the local stack and the command
 * line read beside them stands in STACK.
 */
import { SETTINGS as DISPATCHER } from '../services/dispatcher/src/config.ts';
import { settingsTable as INGEST_API } from '../services/ingest-api/src/config.ts';
import { SETTINGS as SINK, REPLAY_ALONE as SINK_REPLAY } from '../services/sink/src/config.ts';

export interface SettingRow {
  readonly env: string;
  readonly type: string;
  readonly unit?: string;
  readonly default?: unknown;
  readonly meaning: string;
  readonly secret?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly string[];
}

/** Read by `npm start`, `npm run demo` and `volley`, not by a service. */
const STACK: readonly SettingRow[] = [
  { env: 'VOLLEY_DISPATCHERS', type: 'int', default: 1, min: 1, meaning: 'How many dispatchers the local stack runs.' },
  { env: 'VOLLEY_SINKS', type: 'int', default: 1, min: 1, meaning: 'How many sinks the local stack runs.' },
  {
    env: 'VOLLEY_KAFKA_PORT',
    type: 'int',
    default: 9092,
    min: 1,
    max: 65_535,
    meaning: 'Port that the local Kafka prefers; the next free one when it is taken.',
  },
  {
    env: 'VOLLEY_REGISTRY_PORT',
    type: 'int',
    default: 8081,
    min: 1,
    max: 65_535,
    meaning: 'Port that the local registry prefers; the next free one when it is taken.',
  },
  {
    env: 'VOLLEY_POSTGRES_PORT',
    type: 'int',
    default: 5432,
    min: 1,
    max: 65_535,
    meaning: 'Port that the local Postgres prefers; the next free one when it is taken.',
  },
  {
    env: 'VOLLEY_CLICKHOUSE_PORT',
    type: 'int',
    default: 8123,
    min: 1,
    max: 65_535,
    meaning: 'Port that the local ClickHouse prefers; the next free one when it is taken.',
  },
  {
    env: 'VOLLEY_HOME',
    type: 'string',
    default: '.volley',
    meaning: 'Folder of the local stack: downloads, data, logs, stack.json.',
  },
  {
    env: 'VOLLEY_API_URL',
    type: 'url',
    default: '',
    meaning: 'API that `volley` talks to; empty: the one in .volley/stack.json.',
  },
  { env: 'VOLLEY_API_KEY', type: 'string', default: '', secret: true, meaning: 'Key that `volley` uses for it.' },
  {
    env: 'VOLLEY_REPLICATION_FACTOR',
    type: 'int',
    default: 1,
    min: 1,
    meaning:
      '`volley setup`: replicas of each topic that it creates; 3 on a cluster, two of which must have a record then.',
  },
  {
    env: 'VOLLEY_MIN_INSYNC_REPLICAS',
    type: 'int',
    default: '',
    min: 1,
    meaning:
      '`volley setup`: replicas that must have a record before it is acknowledged; empty: half of them, rounded up (2 of 3).',
  },
  {
    env: 'VOLLEY_PARTITIONS',
    type: 'int',
    default: 12,
    min: 1,
    max: 10_000,
    meaning: '`volley setup`: partitions of each topic that it creates.',
  },
];

const TABLES: Readonly<Record<string, readonly SettingRow[]>> = {
  'ingest-api': Object.values(INGEST_API),
  dispatcher: Object.values(DISPATCHER),
  sink: Object.values(SINK),
  // It reads what the sink reads, and these.
  'sink-replay': Object.values(SINK_REPLAY),
  stack: STACK,
};

/** Where what a reader does with it differs, one sentence for all of them. */
const MEANINGS: Readonly<Record<string, string>> = {
  VOLLEY_CLICKHOUSE_URL:
    'ClickHouse over HTTP, with credentials as userinfo. The sink writes there; ingest-api asks it for percentiles, messages and timelines, and goes on without it.',
  VOLLEY_CLICKHOUSE_DATABASE: 'Database with the tables and the public views.',
};

/** Settings of `ingest-api`, `dispatcher`, `sink`, `sink-replay` or `stack`. */
export const settingsOf = (process: string): readonly SettingRow[] => TABLES[process] ?? [];

interface Merged {
  readonly row: SettingRow;
  /** Who reads it -> its default there. */
  readonly readers: Map<string, string>;
}

const textOf = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value ?? ''));
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function merged(): Merged[] {
  const all = new Map<string, Merged>();
  for (const [reader, rows] of Object.entries(TABLES)) {
    for (const row of rows) {
      const meaning = MEANINGS[row.env] ?? row.meaning;
      const entry = all.get(row.env) ?? { row: { ...row, meaning }, readers: new Map() };
      entry.readers.set(reader, textOf(row.default));
      all.set(row.env, entry);
    }
  }
  // Shared ones first, then by who reads them, in the order of the tables.
  return [...all.values()].sort((a, b) => b.readers.size - a.readers.size);
}

/** Several defaults are told with their reader. */
function defaultOf(m: Merged, quote: string): string {
  const different = new Set(m.readers.values());
  if (different.size === 1) {
    const [only = ''] = different;
    return only === '' ? '' : `${quote}${only}${quote}`;
  }
  return [...m.readers].map(([reader, value]) => `${quote}${value}${quote} (${reader})`).join(', ');
}

function boundsOf({ type, unit, min, max, oneOf }: SettingRow): string {
  const range = min !== undefined && max !== undefined ? `${min} to ${max}` : min !== undefined ? `from ${min}` : '';
  return [type, unit, range, oneOf?.join(' | ')].filter(Boolean).join(', ');
}

export function generateEnvExample(): string {
  const out = [
    '# Every setting with its default. Generated from the config tables by `npm run gen`; do not edit.',
    '# A setting that is a secret can also be given as a file: NAME_FILE=/run/secrets/name.',
  ];
  for (const m of merged()) {
    out.push('', `# ${sentence(m.row.meaning)}`, `# ${boundsOf(m.row)}; ${[...m.readers.keys()].join(', ')}`);
    const different = new Set(m.readers.values());
    if (different.size === 1) out.push(`#${m.row.env}=${[...different][0]}`);
    else for (const [reader, value] of m.readers) out.push(`#${m.row.env}=${value}   (${reader})`);
  }
  return `${out.join('\n')}\n`;
}

export function generateConfigurationPage(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = merged().map((m) =>
    [
      `\`${m.row.env}\`${m.row.secret ? ' (secret)' : ''}`,
      boundsOf(m.row),
      defaultOf(m, '`'),
      [...m.readers.keys()].join(', '),
      sentence(m.row.meaning),
    ].map(cell),
  );
  return [
    '# Configuration',
    '',
    'Reference. Generated from the config tables of the services by `npm run gen`; do not edit.',
    '',
    'Every process reads its settings from the environment, once, when it starts. Wrong ones are all told at once and it',
    'ends with 2. `--check-config` stops after the check, `--print-config` prints what is in force without secrets:',
    '',
    '```sh',
    'node services/sink/src/main.ts --print-config',
    '```',
    '',
    'A secret can be given as a file instead: `NAME_FILE=/run/secrets/name`. An empty value counts as not set. "stack" is',
    'what `npm start`, `npm run demo` and `volley` read.',
    '',
    '| Setting | Type | Default | Read by | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
  ].join('\n');
}
