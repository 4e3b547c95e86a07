import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { campaignCreate, directMessage, EXAMPLES, PROBLEMS, ROUTES, type Route } from '@volley/contract/http';
import { CHANNELS } from '@volley/contract/providers';
import { MAX_TEMPLATE_CHARS } from '@volley/contract/render';
import test from 'ava';
import { createApp } from '../../src/adapters/http/server.ts';
import { openApiDocument } from '../../src/adapters/openapi.ts';
import { silent } from '../support/log.ts';

const document = openApiDocument();

test('the document is OpenAPI 3.1', async (t) => {
  const result = await new Validator().validate(structuredClone(document) as never);
  t.true(result.valid, JSON.stringify(result.errors));
  t.regex(document.openapi, /^3\.1/);
});

test('the committed openapi.json is the one that the schemas make', (t) => {
  const file = new URL('../../openapi.json', import.meta.url);
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(document)));
});

test('every route of the router is in the document, and the reverse', (t) => {
  const handlers = {} as never;
  const { router } = createApp({
    handlers,
    allowed: () => 'somebody',
    log: silent,
    answered: () => {},
    stopping: () => false,
  });
  const routed = router.stack.flatMap((layer) =>
    layer.methods
      .filter((method) => method !== 'HEAD')
      .map((method) => `${method} ${String(layer.path).replace(/:(\w+)/g, '{$1}')}`),
  );
  const documented = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  t.deepEqual(routed.sort(), documented.sort());
  t.true(routed.length >= 25);
});

test('every secured operation says that it needs a key, and answers with problems', (t) => {
  for (const [id, route] of Object.entries(ROUTES) as [string, Route][]) {
    const item = document.paths?.[route.path] as Record<string, { security?: unknown[]; responses: object }>;
    const operation = item[route.method];
    if (route.secured === false) t.deepEqual(operation?.security, [], id);
    else {
      t.is(operation?.security, undefined, id);
      t.true('401' in (operation?.responses ?? {}), id);
      t.true('503' in (operation?.responses ?? {}), id);
    }
  }
});

test('statuses of problems are those of errors', (t) => {
  for (const [code, { status }] of Object.entries(PROBLEMS)) t.true(status >= 400 && status < 600, code);
});

test('the longest template is the same for the API and for the renderer', (t) => {
  const make = (n: number) => campaignCreate.safeParse({ name: 'x', template: 'x'.repeat(n) }).success;
  t.true(make(MAX_TEMPLATE_CHARS));
  t.false(make(MAX_TEMPLATE_CHARS + 1));
  for (const channel of CHANNELS) t.true(campaignCreate.safeParse({ name: 'x', template: 'x', channel }).success);
});

/** Routes whose bodies say more than their names. */
const WITH_EXAMPLES = [
  ...['campaignStats', 'campaignSeries', 'campaignHistogram', 'campaignFailures', 'campaignMessages', 'getMessage'],
  ...['addMessages', 'testCampaign', 'closeCampaign', 'getPipeline', 'listDeadLetters', 'getDeadLetter'],
  ...['redriveDeadLetters', 'purgeDeadLetters', 'listRedrives', 'getRedrive', 'cancelRedrive'],
  ...['campaignAudit', 'getAudit', 'getMessageBody', 'listProviders', 'listCampaigns', 'previewCampaign'],
  ...['startReplay', 'listReplays', 'getReplay', 'pauseReplay', 'resumeReplay', 'cancelReplay', 'undoReplay'],
];
for (const id of WITH_EXAMPLES) {
  test(`${id} has examples of what it takes and answers, and they keep to its schemas`, (t) => {
    const route = ROUTES[id as keyof typeof ROUTES] as Route;
    const example = EXAMPLES[id] ?? {};
    const parsed = (schema: Route['answer'], value: unknown) => {
      const result = schema?.safeParse(value);
      return result?.success ? '' : JSON.stringify(result?.error?.issues ?? 'none');
    };
    if (route.body) t.is(parsed(route.body, example.request), '');
    t.is(parsed(route.answer, example.answer), '');
    if (route.also) t.is(parsed(route.also.answer, example.also), '');
    for (const line of example.lines?.['application/x-ndjson']?.trim().split('\n') ?? [])
      t.is(parsed(directMessage, JSON.parse(line)), '');
    const path = document.paths?.[route.path] as Record<string, unknown>;
    t.true(JSON.stringify(path[route.method]).includes(JSON.stringify(example.answer)), 'it is in the document');
  });
}

test('no example is of a route that is not there', (t) => {
  t.deepEqual(
    Object.keys(EXAMPLES).filter((id) => !(id in ROUTES)),
    [],
  );
});
