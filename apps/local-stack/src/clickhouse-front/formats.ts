/** Chunks of these can be put one after the other: no head, no foot, no separator between rows of different chunks. */
const streamable = new Set([
  'tabseparated',
  'tsv',
  'tabseparatedraw',
  'tsvraw',
  'csv',
  'jsoneachrow',
  'jsonlines',
  'ndjson',
  'jsoncompacteachrow',
  'jsonstringseachrow',
  'jsoncompactstringseachrow',
  'lineasstring',
  'rawblob',
  'rowbinary',
  'native',
  'tskv',
  'msgpack',
]);

export function isStreamable(format: string): boolean {
  return streamable.has(format.toLowerCase());
}

export function contentType(format: string): string {
  const name = format.toLowerCase();
  if (/^(json(compact)?(strings)?eachrow|jsonlines|ndjson)/.test(name)) return 'application/x-ndjson; charset=UTF-8';
  if (name.startsWith('json')) return 'application/json; charset=UTF-8';
  if (name.startsWith('csv'))
    return `text/csv; charset=UTF-8; header=${name.startsWith('csvwithnames') ? 'present' : 'absent'}`;
  if (name.startsWith('tabseparated') || name.startsWith('tsv')) return 'text/tab-separated-values; charset=UTF-8';
  if (name === 'xml') return 'application/xml; charset=UTF-8';
  if (name === 'markdown') return 'text/markdown; charset=UTF-8';
  if (
    /^(native|rowbinary|msgpack|parquet|orc|avro|arrow|protobuf|capnproto|bsoneachrow|npy|rawblob|sqlinsert|mysqldump)/.test(
      name,
    )
  )
    return 'application/octet-stream';
  return 'text/plain; charset=UTF-8';
}
