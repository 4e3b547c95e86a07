import test from 'ava';
import { REAL, REAL_PROVIDER } from '../../dashboards/src/sql.ts';
import { dashboards, rules } from './read.ts';

const ONE_CAMPAIGN = 'campaign_id = ${campaign';
/** What is asked of partitions and of the sink itself is of whatever is in the log. */
const OF_THE_LOG = /FROM (system\.|partition_audit)/;

const queries: [name: string, sql: string][] = [
  ...Object.entries(dashboards).flatMap(([name, { panels, templating }]) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ rawSql }): [string, string][] =>
        rawSql === undefined ? [] : [[`${name}: ${title}`, rawSql]],
      ),
    ),
    ...templating.list.flatMap(({ name: variable, query }): [string, string][] =>
      typeof query === 'string' ? [] : [[`${name}: variable ${variable}`, query.rawSql]],
    ),
  ]),
  ...rules.flatMap(({ title, data }) =>
    data.flatMap(({ model }): [string, string][] =>
      model.rawSql === undefined ? [] : [[`alert: ${title}`, model.rawSql]],
    ),
  ),
];

test('every number over campaigns leaves rehearsals out', (t) => {
  t.true(queries.length > 30, `${queries.length}`);
  const mixed = queries.filter(
    ([, sql]) =>
      !sql.includes(REAL) && !sql.includes(REAL_PROVIDER) && !sql.includes(ONE_CAMPAIGN) && !OF_THE_LOG.test(sql),
  );
  t.deepEqual(
    mixed.map(([name]) => name),
    [],
  );
});
