import { writeFileSync } from 'node:fs';
import path from 'node:path';

const mebibyte = 1024 * 1024;

/** Server settings. The caches' defaults are gigabytes: too much for a store that shares a laptop with three others. */
const serverXml = (usersFile: string) => `<clickhouse>
  <users_config>${escapeXml(usersFile)}</users_config>
  <access_control_improvements><table_engines_require_grant>true</table_engines_require_grant></access_control_improvements>
  <max_server_memory_usage>${1536 * mebibyte}</max_server_memory_usage>
  <mark_cache_size>${32 * mebibyte}</mark_cache_size>
  <index_mark_cache_size>${8 * mebibyte}</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <compiled_expression_cache_size>${16 * mebibyte}</compiled_expression_cache_size>
  <query_condition_cache_size>${8 * mebibyte}</query_condition_cache_size>
  <vector_similarity_index_cache_size>${mebibyte}</vector_similarity_index_cache_size>
  <text_index_tokens_cache_size>${mebibyte}</text_index_tokens_cache_size>
  <text_index_header_cache_size>${mebibyte}</text_index_header_cache_size>
  <text_index_postings_cache_size>${mebibyte}</text_index_postings_cache_size>
  <iceberg_metadata_files_cache_size>${mebibyte}</iceberg_metadata_files_cache_size>
</clickhouse>
`;

/** Those that keep their data in the directory. File, URL, S3 and their like stay without a grant. */
const families = ['', 'Replacing', 'Summing', 'Aggregating', 'Collapsing', 'VersionedCollapsing', 'Coalescing'];
const tableEngines = [
  ...families.map((family) => `${family}MergeTree`),
  ...[
    'Memory',
    'Log',
    'TinyLog',
    'StripeLog',
    'Null',
    'Set',
    'Join',
    'Buffer',
    'Merge',
    'Dictionary',
    'GenerateRandom',
    'EmbeddedRocksDB',
    'MaterializedView',
    'View',
  ],
];

/**
 * The engine's own access control keeps SQL inside the database: no grant on sources, so file(), url(), s3(), remote()
 * and their like are refused by the engine itself. A query that asks too much spills to disk, then fails, alone.
 */
const usersXml = () => `<clickhouse>
  <profiles>
    <default>
      <max_memory_usage>${1024 * mebibyte}</max_memory_usage>
      <max_bytes_before_external_group_by>${256 * mebibyte}</max_bytes_before_external_group_by>
      <max_bytes_before_external_sort>${256 * mebibyte}</max_bytes_before_external_sort>
      <max_execution_time>300</max_execution_time>
    </default>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, dictGet, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM MOVES, SYSTEM FLUSH, SYSTEM VIEWS, SYSTEM RELOAD, SYSTEM DROP CACHE ON *.*</query>
        ${tableEngines.map((name) => `<query>GRANT TABLE ENGINE ON ${name}</query>`).join('\n        ')}
      </grants>
    </default>
  </users>
</clickhouse>
`;

/** Written at every start, so that a newer version's limits hold for an older folder. Returns the file to start with. */
export function writeEngineConfig(folder: string): string {
  const configFile = path.join(folder, 'server.xml');
  const usersFile = path.join(folder, 'users.xml');
  writeFileSync(usersFile, usersXml(), { mode: 0o600 });
  writeFileSync(configFile, serverXml(usersFile), { mode: 0o600 });
  return configFile;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
