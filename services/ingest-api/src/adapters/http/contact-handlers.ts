import type { ContactImport, ContactStore, Result, Segment } from '../../ports.ts';
import { mediaTypeOf, NDJSON } from './body.ts';
import { decodeCursor, encodeCursor, UUID } from './cursor.ts';
import { csvLines, ndjsonLines, uploadOf } from './import-lines.ts';
import { type Handlers, notFound } from './operation.ts';
import { failed, HttpProblem } from './problem.ts';

export interface ContactHandlerDeps {
  readonly tenant: string;
  readonly contacts: ContactStore;
  readonly imports: ContactImport;
  readonly parseSegment: (rule: string) => Result<Segment>;
}

export function contactHandlers(d: ContactHandlerDeps) {
  return {
    importContacts: async (r) => {
      const type = mediaTypeOf(r.req);
      if (type !== 'text/csv' && !NDJSON.includes(type)) {
        throw new HttpProblem('unsupported_media_type', 'the body is neither text/csv nor application/x-ndjson', {
          headers: { Connection: 'close' },
        });
      }
      const upload = uploadOf(r.req);
      const { add_tag } = r.query as { add_tag?: string };
      const result = await d.imports.run(type === 'text/csv' ? csvLines(upload) : ndjsonLines(upload), add_tag);
      if (!result.ok) throw failed(result.failure);
      return { status: 200, body: result.value };
    },

    listContacts: async (r) => {
      const { limit, cursor, segment_rule } = r.query as { limit: number; cursor?: string; segment_rule: string };
      const segment = d.parseSegment(segment_rule);
      if (!segment.ok) {
        const errors = segment.failure.errors?.map((e) => ({ ...e, pointer: '?segment_rule' }));
        throw failed({ ...segment.failure, ...(errors ? { errors } : {}) });
      }
      const after = decodeCursor('contacts', cursor, UUID);
      const found = await d.contacts.list(d.tenant, {
        limit: limit + 1,
        segment: segment.value,
        ...(after ? { after } : {}),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const next_cursor = found.length > limit && last ? encodeCursor('contacts', last.contact_id) : null;
      return { status: 200, body: { data: page, next_cursor } };
    },

    deleteContact: async (r) => {
      if (!UUID.test(r.id) || !(await d.contacts.remove(d.tenant, r.id))) throw notFound('contact');
      return { status: 204 };
    },
  } satisfies Partial<Handlers>;
}
