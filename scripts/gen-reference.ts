/** Tables of the code -> reference pages: docs/errors.md, docs/metrics.md, docs/topics.md. */
import { PROBLEMS } from '../packages/contract/src/http-schemas.ts';
import {
  DEFAULT_TOPIC_SETTINGS,
  groupsOf,
  minInSyncOf,
  recordsByTopic,
  topicDefinitions,
  topicsOf,
} from '../packages/contract/src/topics.ts';
import { METRICS as DISPATCHER } from '../services/dispatcher/src/metrics.ts';
import { metricCatalogue as INGEST_API } from '../services/ingest-api/src/metrics.ts';
import { CATALOGUE as SINK, REPLAY_CATALOGUE as SINK_REPLAY } from '../services/sink/src/metrics.ts';

interface Metric {
  readonly kind: string;
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export const METRIC_CATALOGUES: Readonly<Record<string, readonly Metric[]>> = {
  'ingest-api': Object.values(INGEST_API),
  dispatcher: Object.values(DISPATCHER),
  sink: Object.values(SINK),
  'sink-replay': Object.values(SINK_REPLAY),
};

const cell = (text: string): string => text.replaceAll('|', '\\|');
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
const row = (...cells: string[]): string => `| ${cells.map(cell).join(' | ')} |`;

export function generateErrorsPage(): string {
  return [
    '# Errors of the API',
    '',
    'Reference. Generated from the list in `packages/contract/src/http-schemas.ts` by `npm run gen`; do not edit.',
    '',
    'Every answer from 400 on is `application/problem+json` with one of these codes in `code`, a `request_id` that is in',
    'the log as well, and, where fields are at fault, `errors: [{pointer, detail}]`. The list is closed. 429 and 503 carry',
    '`Retry-After`. Only a 2xx promises anything: after any other answer repeat the request with the same id or',
    '`Idempotency-Key`.',
    '',
    row('Status', 'Code', 'Meaning'),
    row('---', '---', '---'),
    ...Object.entries(PROBLEMS).map(([code, p]) => row(String(p.status), `\`${code}\``, sentence(p.title))),
    '',
  ].join('\n');
}

export function generateMetricsPage(): string {
  const tables = Object.entries(METRIC_CATALOGUES).flatMap(([service, metrics]) => [
    `## ${service}`,
    '',
    row('Metric', 'Kind', 'Labels', 'Meaning'),
    row('---', '---', '---', '---'),
    ...metrics.map((m) =>
      row(`\`${m.name}\``, m.kind, (m.labels ?? []).map((l) => `\`${l}\``).join(', '), sentence(m.help)),
    ),
    '',
  ]);
  return [
    '# Metrics',
    '',
    "Reference. Generated from each service's `src/metrics.ts` by `npm run gen`; do not edit.",
    '',
    'Each process serves these at `/metrics` of its admin port in the text format of Prometheus, with the usual figures of',
    'the process and of Node beside them. No label is a recipient, a message or a campaign.',
    '',
    ...tables,
  ].join('\n');
}

export function generateTopicsPage(): string {
  const topics = topicsOf('volley');
  const records = new Map(recordsByTopic(topics).map((r) => [r.topic, r.record]));
  const days = (ms: string | undefined) =>
    ms === undefined ? 'as long as it is current' : `${Number(ms) / 86_400_000} days`;
  const groups = groupsOf('volley');
  return [
    '# Topics',
    '',
    'Reference. Generated from `packages/contract/src/topics.ts` by `npm run gen`; do not edit.',
    '',
    `Names begin with \`VOLLEY_NAMESPACE\` (default \`volley\`). Every topic has the same number of partitions`,
    `(${DEFAULT_TOPIC_SETTINGS.partitions} by default): a message, its retries, its dead letter and its events lie under one number. The`,
    'key is the campaign id everywhere. Values are Avro in Confluent framing, one schema a record under the subject',
    '`topic-record`; a dead letter keeps the bytes that arrived.',
    '',
    row('Topic', 'Record', 'Kept for', 'Clean-up', 'Largest record'),
    row('---', '---', '---', '---', '---'),
    ...topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((d) =>
      row(
        `\`${d.topic}\``,
        records.get(d.topic) ?? 'original bytes',
        days(d.config['retention.ms']),
        d.config['cleanup.policy'] ?? '',
        `${d.config['max.message.bytes']} bytes`,
      ),
    ),
    '',
    'All of them exist from the set-up step on.',
    '',
    '## Replicas',
    '',
    `On a cluster: \`VOLLEY_REPLICATION_FACTOR=3 volley setup\`. Every topic then has 3 replicas, and a record is acknowledged when`,
    `${minInSyncOf(3)} of them have it (\`min.insync.replicas\`; another number: \`VOLLEY_MIN_INSYNC_REPLICAS\`). Producers wait for all that are in sync`,
    '(`acks=all`, idempotent), whatever the number is. One machine may be lost, or be away, and nothing else changes. By default',
    `there is ${DEFAULT_TOPIC_SETTINGS.replicationFactor}, as the local stack has one broker.`,
    '',
    'These hold for topics that the step creates. One that exists keeps what it has: `volley doctor` and `volley topics` tell where',
    'its settings differ, though not how many replicas it has; Kafka’s own `kafka-reassign-partitions` and `kafka-configs` change it.',
    'The broker’s own topics have settings of their own: `offsets.topic.replication.factor=3` before the first start, because the',
    'groups’ offsets carry what the sink has planned.',
    '',
    `Consumer groups: \`${groups.dispatcher}\`, \`${groups.sink}\`, \`${groups.progress}\`.`,
    '',
  ].join('\n');
}
