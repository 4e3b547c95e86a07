import { EXAMPLES, PROBLEMS, type ProblemCode, problem, ROUTES, type Route } from '@volley/contract/http';
import { z } from 'zod';
import { createDocument } from 'zod-openapi';

type Document = ReturnType<typeof createDocument>;

const HEADERS: Readonly<Record<string, string>> = {
  'Idempotency-Key': 'Repeats of a request under the same key get the first answer, for 24 hours.',
  'If-Match': 'ETag: the command is refused with 412 when the campaign has changed since.',
  'If-None-Match': 'ETag: 304 when the campaign is still the same.',
};

/** What any secured request may be answered with. */
const EVERYWHERE: readonly ProblemCode[] = ['unauthorized', 'validation_failed', 'internal', 'unavailable'];
const WITH_BODY: readonly ProblemCode[] = ['malformed_body', 'body_too_large', 'unsupported_media_type'];

function problemsOf(route: Route): Record<string, object> {
  const codes = new Set<ProblemCode>(route.problems ?? []);
  if (route.secured !== false) for (const code of EVERYWHERE) codes.add(code);
  if (route.method === 'post' || route.method === 'patch') for (const code of WITH_BODY) codes.add(code);
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, list]) => [
        String(status),
        {
          description: list.sort().join(', '),
          content: { 'application/problem+json': { schema: problem } },
          ...(status === 429 || status === 503
            ? { headers: z.object({ 'Retry-After': z.string().meta({ description: 'Seconds.' }) }) }
            : {}),
        },
      ]),
  );
}

function operationOf(operationId: string, route: Route): object {
  const parameters = [...route.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1] as string);
  const requestParams = {
    ...(parameters.length > 0 ? { path: z.object(Object.fromEntries(parameters.map((p) => [p, z.string()]))) } : {}),
    ...(route.query ? { query: route.query } : {}),
    ...(route.headers
      ? {
          header: z.object(
            Object.fromEntries(
              route.headers.map((h) => [
                h,
                z
                  .string()
                  .optional()
                  .meta({ description: (h === 'Idempotency-Key' && route.keyMeans) || HEADERS[h] || '' }),
              ]),
            ),
          ),
        }
      : {}),
  };
  const examples = EXAMPLES[operationId] ?? {};
  const shown = (example: unknown) => (example === undefined ? {} : { example });
  const streamed =
    route.bodyTypes?.map((type) => [type, { schema: z.string(), ...shown(examples.lines?.[type]) }]) ?? [];
  const json = { schema: route.body, ...shown(examples.request) };
  const bodies = [...(route.body ? [['application/json', json]] : []), ...streamed];
  const content = bodies.length > 0 ? Object.fromEntries(bodies) : undefined;
  const answer = route.answer
    ? { content: { [route.answerType ?? 'application/json']: { schema: route.answer, ...shown(examples.answer) } } }
    : {};
  return {
    operationId,
    summary: route.summary,
    ...(Object.keys(requestParams).length > 0 ? { requestParams } : {}),
    ...(content ? { requestBody: { required: true, content } } : {}),
    ...(route.secured === false ? { security: [] } : {}),
    responses: {
      [String(route.status)]: { description: route.summary, ...answer },
      ...(route.also
        ? {
            [String(route.also.status)]: {
              description: route.summary,
              content: { 'application/json': { schema: route.also.answer, ...shown(examples.also) } },
            },
          }
        : {}),
      ...(route.headers?.includes('If-None-Match') ? { '304': { description: 'Not changed' } } : {}),
      ...problemsOf(route),
    },
  };
}

/** OpenAPI 3.1 of the API, from the schemas that it validates with. Committed as openapi.json, served at /openapi.json. */
export function openApiDocument(): Document {
  const paths: Record<string, Record<string, object>> = {};
  for (const [operationId, route] of Object.entries(ROUTES) as [string, Route][]) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(operationId, route) };
  }
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Volley',
      version: '1.0.0',
      description:
        'Campaigns, contacts, messages and statistics. Errors are application/problem+json with a stable code.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8080', description: 'The local stack' }],
    security: [{ apiKey: [] }],
    paths: paths as never,
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
  });
}
