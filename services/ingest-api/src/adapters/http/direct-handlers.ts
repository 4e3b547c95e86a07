import { MAX_IMPORT_LINE_BYTES, testRequest } from '@volley/contract/http';
import type { DirectMessages } from '../../direct-ports.ts';
import { mediaTypeOf, NDJSON, parseJsonBody, readBody, readJson } from './body.ts';
import { campaignIdOf, keyOf } from './campaign-handlers.ts';
import { ndjsonLines, uploadOf } from './import-lines.ts';
import { check, type Handlers } from './operation.ts';
import { failed, HttpProblem } from './problem.ts';

export interface DirectHandlerDeps {
  readonly direct: DirectMessages;
}

const LOST = 'the upload was cut off: what the log had taken by then is sent';

export function directHandlers(d: DirectHandlerDeps) {
  return {
    addMessages: async (r) => {
      const id = campaignIdOf(r);
      const key = keyOf(r);
      const type = mediaTypeOf(r.req);
      if (NDJSON.includes(type)) {
        const result = await d.direct.many(id, ndjsonLines(uploadOf(r.req, LOST)), key);
        if (result.ok) return { status: 200, body: result.value };
        const problem = failed(result.failure);
        // What is left of the body is not read.
        throw new HttpProblem(problem.code, problem.message, { ...problem, headers: { Connection: 'close' } });
      }
      if (type !== 'application/json') {
        throw new HttpProblem(
          'unsupported_media_type',
          'the body is neither application/json nor application/x-ndjson',
          {
            headers: { Connection: 'close' },
          },
        );
      }
      // A message is as large as a line of many.
      const value = parseJsonBody(await readBody(r.req, MAX_IMPORT_LINE_BYTES));
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        const errors = [{ pointer: '', detail: 'a message is a JSON object' }];
        throw new HttpProblem('validation_failed', 'the body is not valid', { errors });
      }
      const result = await d.direct.one(id, value as Record<string, unknown>, key);
      if (!result.ok) throw failed(result.failure);
      return { status: 202, body: result.value };
    },

    testCampaign: async (r) => {
      const id = campaignIdOf(r);
      const { value } = await readJson(r.req);
      const result = await d.direct.test(id, check(testRequest, value, 'body').to);
      if (!result.ok) throw failed(result.failure);
      return { status: 202, body: result.value };
    },
  } satisfies Partial<Handlers>;
}
