import type { StreamClient, StreamRecord } from '@volley/stream';

/** Every record of a topic as it lies there, up to its end as of now, in offset order per partition; or those of some keys. */
export async function readTopic(
  client: StreamClient,
  topic: string,
  keys?: ReadonlySet<string>,
): Promise<StreamRecord[]> {
  const admin = await client.admin();
  const bounds = await admin.logBounds(topic);
  await admin.close();
  const records: StreamRecord[] = [];
  const keep = (record: StreamRecord) => {
    if (keys === undefined || keys.has(record.key?.toString() ?? '')) records.push(record);
  };
  const ranges = bounds
    .map(({ start, end }, partition) => ({ topic, partition, from: start, to: end }))
    .filter((range) => range.from < range.to);
  if (ranges.length > 0) await client.readRanges({ ranges, onRecord: keep });
  return records;
}
