import { RECORD_TYPES, type SchemaStore } from '@volley/contract';
import test from 'ava';
import { createSchemas } from '../../src/adapters/schemas.ts';

const TYPE = RECORD_TYPES.DeliveryEvent;

/** A registry that gives these answers, one a question; what it said is remembered until `forget`. */
function openSchemas(...answers: ('404' | 'away' | 'known')[]) {
  let nowMs = 0;
  let asked = 0;
  let said: ReturnType<SchemaStore['get']>;
  const store: SchemaStore = {
    get: () => said,
    async load() {
      asked += 1;
      const answer = answers.shift();
      if (answer === 'away') throw new Error('away');
      said = answer === 'known' ? TYPE : 'unknown';
    },
  };
  const schemas = createSchemas({ store, nowMs: () => nowMs });
  const passes = (ms: number) => {
    nowMs += ms;
  };
  const forget = () => {
    said = undefined;
  };
  return { schemas, passes, forget, asked: () => asked };
}

test('one 404, even two, say nothing yet: the schema that is there afterwards is used', async (t) => {
  const { schemas, passes } = openSchemas('404', '404', 'known');
  for (let i = 0; i < 2; i++) {
    t.false((await schemas.load(7)).ok);
    t.is(schemas.get(7), undefined);
    passes(5_000);
  }
  t.true((await schemas.load(7)).ok);
  t.is(schemas.get(7), TYPE);
});

test('unknown is what was said three times, and over two seconds', async (t) => {
  const { schemas, passes } = openSchemas('404', 'away', '404', '404', '404');
  t.false((await schemas.load(7)).ok);
  t.like(await schemas.load(7), { ok: false, error: 'away' });
  t.false((await schemas.load(7)).ok);
  t.false((await schemas.load(7)).ok, 'three times, at once');
  passes(2_000);
  t.true((await schemas.load(7)).ok);
  t.is(schemas.get(7), 'unknown');
});

test('partitions that wait for one schema ask together, and an answer counts once', async (t) => {
  const { schemas, asked } = openSchemas('404', '404');
  await Promise.all([schemas.load(7), schemas.load(7), schemas.load(7)]);
  t.is(asked(), 1);
  t.is(schemas.get(7), undefined);
});

test('what was unknown and is forgotten is doubted anew', async (t) => {
  const { schemas, passes, forget } = openSchemas('404', '404', '404', '404', 'known');
  for (let i = 0; i < 3; i++) {
    await schemas.load(7);
    passes(1_000);
  }
  t.is(schemas.get(7), 'unknown');
  forget();
  t.is(schemas.get(7), undefined);
  t.false((await schemas.load(7)).ok);
  t.is(schemas.get(7), undefined);
  t.true((await schemas.load(7)).ok);
  t.is(schemas.get(7), TYPE);
});
