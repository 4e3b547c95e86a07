import { createClient } from '@clickhouse/client';
import test from 'ava';
import { migrationFiles } from '../src/adapters/migrator-clickhouse.ts';
import { statementsOn } from '../src/core/cluster.ts';
import { statementsOf } from '../src/core/migrations.ts';
import { clickHouseUrl, SQL_FOLDER } from './clickhouse.ts';

test('the engine can parse what the schema becomes on a cluster, and reads it as that', async (t) => {
  const client = createClient({ url: clickHouseUrl() });
  const parsed = async (statement: string) => {
    const query = 'SELECT formatQuery({statement:String}) AS text';
    const answer = await client.query({ query, query_params: { statement }, format: 'JSONEachRow' });
    return (await answer.json<{ text: string }>())[0]?.text ?? '';
  };
  try {
    await t.throwsAsync(parsed('DROP TABLE a SYNC ON CLUSTER volley'), { message: /Syntax error/ });
    let tables = 0;
    for (const { name, sql } of await migrationFiles(SQL_FOLDER))
      for (const statement of statementsOf(sql).flatMap((s) => statementsOn('volley', s))) {
        const text = await parsed(statement);
        if (!text.startsWith('INSERT')) t.regex(text, /\bON CLUSTER volley\b/, name);
        if (/^CREATE TABLE/.test(text) && / ENGINE = |\nENGINE = /.test(text)) {
          tables++;
          t.regex(text, /ENGINE = Replicated\w*MergeTree/, name);
        }
      }
    t.true(tables >= 9);
  } finally {
    await client.close();
  }
});
