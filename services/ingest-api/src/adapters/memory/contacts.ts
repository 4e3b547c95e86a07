import { MAX_MERGED_ATTRIBUTE_BYTES } from '../../core/contact.ts';
import type { Contact, ContactPatch, ContactStore, FrozenRow, Segment } from '../../ports.ts';
import { type ContactRow, later, type MemoryState } from './state.ts';

const matches = (contact: Contact, segment: Segment): boolean =>
  segment.kind === 'everyone' || segment.all.every((tag) => contact.tags.includes(tag));

const chosen = (state: MemoryState, tenantId: string, segment: Segment): ContactRow[] =>
  [...state.contacts.values()]
    .filter((c) => c.tenantId === tenantId && matches(c, segment))
    .sort((a, b) => (a.contact_id < b.contact_id ? -1 : 1));

/** What `send` freezes and what a preview shows: the same rows, ordinals from 1 in the order of contact ids. */
export const audienceOf = (state: MemoryState, tenantId: string, segment: Segment): FrozenRow[] =>
  chosen(state, tenantId, segment).map(({ recipient, name, tags, attributes }, i) => ({
    ordinal: i + 1,
    recipient,
    name,
    tags,
    attributes: JSON.stringify(attributes),
  }));

export function createMemoryContacts(
  state: MemoryState,
  deps: { readonly now: () => number; readonly newContactId: () => string },
): ContactStore {
  const importing = new Set<string>();

  return {
    async upsert(tenantId, chunks, addTag) {
      if (importing.has(tenantId)) return 'busy';
      importing.add(tenantId);
      try {
        // Set aside until the last chunk is there: if `chunks` throws, none of it was written.
        const staged = new Map<string, ContactRow>();
        let imported = 0;
        let updated = 0;
        const tooLarge: ContactPatch[] = [];
        for await (const chunk of chunks) {
          for (const patch of chunk) {
            const key = `${tenantId} ${patch.addressKey}`;
            const known = staged.get(key) ?? state.contacts.get(key);
            const attributes = { ...known?.attributes, ...patch.attributes };
            if (Buffer.byteLength(JSON.stringify(attributes)) > MAX_MERGED_ATTRIBUTE_BYTES) {
              tooLarge.push(patch);
              continue;
            }
            if (known === undefined) imported += 1;
            else updated += 1;
            const tags = patch.tags ?? known?.tags ?? [];
            const at = new Date(deps.now()).toISOString();
            staged.set(key, {
              tenantId,
              contact_id: known?.contact_id ?? deps.newContactId(),
              recipient: patch.recipient,
              name: patch.name ?? known?.name ?? null,
              tags: addTag === undefined || tags.includes(addTag) ? tags : [...tags, addTag],
              attributes,
              created_at: known?.created_at ?? at,
              updated_at: at,
            });
          }
        }
        for (const [key, contact] of staged) state.contacts.set(key, contact);
        return { imported, updated, tooLarge };
      } finally {
        importing.delete(tenantId);
      }
    },
    async list(tenantId, { after, segment, limit }) {
      await later();
      return chosen(state, tenantId, segment)
        .filter((c) => after === undefined || c.contact_id > after)
        .slice(0, limit);
    },
    async byAddress(tenantId, address) {
      await later();
      return state.contacts.get(`${tenantId} ${address.toLowerCase()}`);
    },
    async remove(tenantId, contactId) {
      await later();
      for (const [key, contact] of state.contacts) {
        if (contact.tenantId === tenantId && contact.contact_id === contactId) return state.contacts.delete(key);
      }
      return false;
    },
    async audience(tenantId, segment, limit) {
      await later();
      const all = audienceOf(state, tenantId, segment);
      return { total: all.length, rows: all.slice(0, limit) };
    },
  };
}
