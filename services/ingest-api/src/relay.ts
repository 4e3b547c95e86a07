import { type CampaignEvent, type Decoded, isCampaignId, partitionOf, type Topics } from '@volley/contract';
import type { Failpoints } from '@volley/runtime';
import type { StreamProducer, StreamRecord } from '@volley/stream';
import { publications } from './core/campaign-record.ts';
import type { VersionWatch } from './core/version-watch.ts';
import type { Leases, Metric, Outbox, Round } from './ports.ts';

const RELAY_BATCH = 500;

/** Events above published_version -> volley.campaigns, in version order. */
export function createRelay(d: {
  outbox: Outbox;
  leases: Leases;
  producer: StreamProducer;
  watch: VersionWatch;
  topics: Topics;
  partitions: number;
  encode: (event: CampaignEvent) => Buffer;
  failpoints: Failpoints;
  metric: Metric;
  published(): void;
}): Round {
  return async () => {
    const lease = await d.leases.hold('relay');
    if (!lease) return false;
    const outdated = d.watch.outdated();
    const due = await d.outbox.due(RELAY_BATCH, outdated);
    d.metric.outboxDepth?.set(due.length);
    if (due.length === 0 || !lease.valid()) return false;
    const published = new Map<string, number>();
    const records = due.flatMap(({ campaignId, publishedVersion, facts }) => {
      const last = facts.at(-1)?.version ?? 0;
      // A lower version lies above a higher one in the log: compaction would keep it, so the current one is said again.
      const from = publishedVersion < last ? publishedVersion : last - 1;
      published.set(campaignId, last);
      const partition = partitionOf(campaignId, '', 1, d.partitions);
      return publications(facts, from).map(({ record }) => ({
        topic: d.topics.campaigns,
        partition,
        key: campaignId,
        value: record && d.encode(record),
      }));
    });
    // 1: the log has them. A crash here publishes them once more; readers ignore versions that they know.
    await d.producer.send(records);
    await d.failpoints.hit('relay.afterAck');
    // 2: they need not be published again. A relay that has lost its lease changes nothing here.
    await d.outbox.advance({ name: 'relay', fence: lease.fence }, published);
    d.metric.relayed?.inc({}, records.length);
    if (outdated.length > 0) d.metric.relayRepaired?.inc({}, outdated.length);
    d.published();
    return due.length === RELAY_BATCH;
  };
}

/** Reads the relay's own topic, in order, for the versions in it. A schema that is not known yet is waited for. */
export function createCampaignReader(d: {
  watch: VersionWatch;
  decode: (bytes: Buffer | null) => Decoded<CampaignEvent>;
  loadSchema: (id: number) => Promise<void>;
  behind(): void;
}): (record: StreamRecord) => void {
  let waiting: StreamRecord[] = [];
  let loading = false;

  function see(record: StreamRecord): number | undefined {
    const campaignId = record.key?.toString('latin1') ?? '';
    if (!isCampaignId(campaignId)) return undefined;
    if (record.value === null) d.watch.saw(campaignId, 0);
    else {
      const decoded = d.decode(record.value);
      if (decoded.ok) d.watch.saw(campaignId, decoded.value.version);
      else if (decoded.reason === 'needs_schema') return decoded.schemaId;
    }
    if (d.watch.outdated().length > 0) d.behind();
    return undefined;
  }

  async function load(schemaId: number): Promise<void> {
    loading = true;
    try {
      await d.loadSchema(schemaId);
    } catch {
      // The registry is away. The next record asks again; until then nothing is concluded.
    }
    loading = false;
    const held = waiting;
    waiting = [];
    for (const record of held) onRecord(record);
  }

  function onRecord(record: StreamRecord): void {
    if (loading) {
      waiting.push(record);
      return;
    }
    const missing = see(record);
    if (missing === undefined) return;
    waiting.push(record);
    void load(missing);
  }
  return onRecord;
}
