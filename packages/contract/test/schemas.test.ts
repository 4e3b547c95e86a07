import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseSchema, RECORD_TYPES } from '../src/codec.ts';
import { compatibilityErrors, schemaErrors } from '../src/compatibility.ts';
import { SCHEMA_TEXTS } from '../src/records.generated.ts';
import { GOLDEN_VALUES } from './_golden-values.ts';
import { releasedTexts, SCHEMA_DIR, schemaCases, schemaFiles } from './_schemas.ts';

interface FieldSchema {
  name: string;
  default: unknown;
}

const defaultsOf = (text: string): Record<string, unknown> =>
  Object.fromEntries((JSON.parse(text).fields as FieldSchema[]).map((f) => [f.name, f.default]));

test('three records are released, each from version 1 on without a gap', (t) => {
  const versions: Record<string, number[]> = {};
  for (const f of schemaFiles()) {
    versions[f.record] ??= [];
    versions[f.record]?.push(f.version);
  }
  t.deepEqual(Object.keys(versions).sort(), ['CampaignEvent', 'DeliveryEvent', 'Message']);
  for (const [record, list] of Object.entries(versions)) {
    t.deepEqual(
      list,
      list.map((_, i) => i + 1),
      record,
    );
  }
});

for (const { file, record, version, text } of schemaFiles()) {
  const base = file.replace(/\.avsc$/, '');

  test(`${file}: self-contained, a default for every field, readable by the codec`, (t) => {
    t.deepEqual(schemaErrors(text), []);
  });

  test(`${file}: may follow the versions before it`, (t) => {
    t.deepEqual(compatibilityErrors(text, releasedTexts(record).slice(0, version - 1)), []);
  });

  test(`${file}: has golden bytes`, (t) => {
    t.deepEqual(Object.keys(GOLDEN_VALUES[base] ?? {}), ['full', 'defaults']);
  });

  for (const [variant, value] of Object.entries(GOLDEN_VALUES[base] ?? {})) {
    const path = join(SCHEMA_DIR, 'golden', variant === 'full' ? base : `${base}.${variant}`);

    test(`golden ${base} (${variant}): the schema and the value are the ones that were released`, (t) => {
      const golden = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
      t.is(createHash('sha256').update(text).digest('hex'), golden.schema_sha256, `${file} was changed`);
      t.deepEqual(golden.value, value);
    });

    test(`golden ${base} (${variant}): its writer schema produces exactly these bytes`, (t) => {
      t.deepEqual(parseSchema(text).toBuffer(value), readFileSync(`${path}.bin`));
    });

    test(`golden ${base} (${variant}): the current code reads these bytes as this value`, (t) => {
      const golden = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
      const reader = RECORD_TYPES[record];
      const decoded = reader.fromBuffer(readFileSync(`${path}.bin`), reader.createResolver(parseSchema(text)));
      t.deepEqual({ ...decoded }, { ...defaultsOf(SCHEMA_TEXTS[record]), ...golden.value });
    });
  }

  test(`golden ${base}: the defaults of the value are the defaults of the schema`, (t) => {
    t.deepEqual(GOLDEN_VALUES[base]?.defaults, defaultsOf(text));
  });
}

test('golden values name only schemas that exist', (t) => {
  for (const base of Object.keys(GOLDEN_VALUES)) t.true(existsSync(join(SCHEMA_DIR, `${base}.avsc`)), base);
});

test('a golden check notices a field that is added, dropped or moved', (t) => {
  const text = SCHEMA_TEXTS.Message;
  const bytes = parseSchema(text).toBuffer(GOLDEN_VALUES['message.v1']?.full);
  const schema = JSON.parse(text);
  const variants = [
    { ...schema, fields: [...schema.fields, { name: 'more', type: 'int', default: 0 }] },
    { ...schema, fields: schema.fields.slice(1) },
    { ...schema, fields: [...schema.fields].reverse() },
  ];
  for (const changed of variants) {
    const value = { ...GOLDEN_VALUES['message.v1']?.full, more: 0 };
    t.notDeepEqual(parseSchema(JSON.stringify(changed)).toBuffer(value), bytes);
  }
});

for (const { file, record, doc, text } of schemaCases('compatible')) {
  test(`compatible: ${file}: ${doc}`, (t) => {
    t.deepEqual(compatibilityErrors(text, releasedTexts(record)), []);
  });

  test(`compatible: ${file}: old code reads what it writes, and it reads what old code wrote`, (t) => {
    const before = parseSchema(releasedTexts(record).at(-1) as string);
    const after = parseSchema(text);
    const base =
      schemaFiles()
        .findLast((f) => f.record === record)
        ?.file.replace(/\.avsc$/, '') ?? '';
    const value = { ...defaultsOf(text), ...GOLDEN_VALUES[base]?.full };
    t.notThrows(() => before.fromBuffer(after.toBuffer(value), before.createResolver(after)));
    const old = before.toBuffer(defaultsOf(releasedTexts(record).at(-1) as string));
    t.like(after.fromBuffer(old, after.createResolver(before)), defaultsOf(text));
  });
}

test('a symbol that a reader does not know reads as the default symbol', (t) => {
  const text = schemaCases('compatible').find((c) => c.file === 'delivery-event-symbol-added.avsc')?.text as string;
  const writer = parseSchema(text);
  const reader = RECORD_TYPES.DeliveryEvent;
  const bytes = writer.toBuffer({ ...defaultsOf(text), kind: 'unsubscribed' });
  t.is(reader.fromBuffer(bytes, reader.createResolver(writer)).kind, 'unknown');
});

/** What each incompatible case must be told: a checker that refuses everything would not pass. */
const SENTENCES: Readonly<Record<string, RegExp>> = {
  'campaign-event-null-added.avsc': /subject has another type/,
  'campaign-event-null-removed.avsc': /new code cannot read old records/,
  'campaign-event-string-to-enum.avsc': /lane has another type/,
  'delivery-event-enum-default-changed.avsc': /kind has another default symbol/,
  'delivery-event-enum-default-removed.avsc': /kind has no default symbol/,
  'delivery-event-enum-renamed.avsc': /kind has another type/,
  'delivery-event-symbol-removed.avsc': /kind has lost redriven/,
  'message-default-changed.avsc': /lane has another default/,
  'message-field-removed.avsc': /tags is gone/,
  'message-field-renamed-with-alias.avsc': /recipient is gone/,
  'message-field-renamed.avsc': /recipient is gone/,
  'message-field-without-default.avsc': /priority has no default/,
  'message-logical-type-dropped.avsc': /queued_at has another type/,
  'message-map-added.avsc': /codec cannot read it.*map/,
  'message-named-type-not-inline.avsc': /refers to volley\.Cause/,
  'message-record-renamed.avsc': /the record has another name/,
  'message-type-changed.avsc': /old code cannot read new records/,
  'message-type-widened.avsc': /old code cannot read new records/,
};

for (const { file, record, doc, text } of schemaCases('incompatible')) {
  test(`incompatible: ${file}: ${doc}`, (t) => {
    const errors = compatibilityErrors(text, releasedTexts(record)).join('\n');
    t.regex(errors, SENTENCES[file] ?? /no sentence is expected of this case/);
  });
}

test('every incompatible case is refused against any version of a history, not only the newest', (t) => {
  const released = releasedTexts('Message');
  const widened = schemaCases('compatible').find((c) => c.file === 'message-field-added.avsc')?.text as string;
  const removedAgain = released.at(-1) as string;
  t.deepEqual(compatibilityErrors(widened, released), []);
  t.regex(compatibilityErrors(removedAgain, [...released, widened]).join('\n'), /priority is gone/);
});
