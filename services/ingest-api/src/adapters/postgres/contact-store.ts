import { v7 } from 'uuid';
import { MAX_MERGED_ATTRIBUTE_BYTES } from '../../core/contact.ts';
import type { Contact, ContactPatch, ContactStore, FrozenRow, Upserted } from '../../ports.ts';
import { ask, inTransaction, type Pool, type Transaction } from './pool.ts';
import { segmentCondition } from './segment-sql.ts';

const CHUNK_TIMEOUT_MS = 30_000;
const COUNT_TIMEOUT_MS = 30_000;

const fits = (attributes: string) => `octet_length((${attributes})::text) <= ${MAX_MERGED_ATTRIBUTE_BYTES}`;

/**
 * Given fields replace, absent ones (NULL here) stay; attributes are merged key by key. What would break the CHECK of the
 * table, and with it the whole import, is left out and named: only Postgres knows the size of what it has.
 */
const upsertSql = (rows: string) => `
  WITH line AS (
    SELECT * FROM json_to_recordset($1::json) AS line(i uuid, k text, r text, n text, t text[], a jsonb)
  ), written AS (
    INSERT INTO contacts (contact_id, tenant_id, address_key, recipient, name, tags, attributes)
    ${rows}
    ON CONFLICT (tenant_id, address_key) DO UPDATE SET
      recipient = excluded.recipient,
      name = coalesce(excluded.name, contacts.name),
      tags = coalesce(excluded.tags, contacts.tags),
      attributes = contacts.attributes || excluded.attributes,
      updated_at = now()
    WHERE ${fits('contacts.attributes || excluded.attributes')}
    RETURNING address_key, (xmax = 0) AS inserted
  )
  SELECT count(*) FILTER (WHERE inserted) AS imported, count(*) FILTER (WHERE NOT inserted) AS updated,
    ARRAY(SELECT k FROM line WHERE k NOT IN (SELECT address_key FROM written)) AS left_out
  FROM written`;
const UPSERT_SQL = upsertSql(`SELECT i, $2, k, r, n, t, a FROM line WHERE ${fits('a')}`);
/** The tag joins those that the line gives, else those that the contact has: only this reads the contacts first. */
const UPSERT_WITH_TAG_SQL = upsertSql(`
    SELECT i, $2, k, r, n, CASE WHEN $3 = ANY (had) THEN had ELSE had || $3::text END, a
    FROM (
      SELECT line.*, coalesce(t, c.tags, '{}') AS had
      FROM line LEFT JOIN contacts c ON c.tenant_id = $2 AND c.address_key = k
    ) AS tagged WHERE ${fits('a')}`);

async function upsertChunk(
  tx: Transaction,
  tenantId: string,
  chunk: readonly ContactPatch[],
  addTag?: string,
): Promise<Upserted> {
  const lines = chunk.map((c) => ({
    i: v7(),
    k: c.addressKey,
    r: c.recipient,
    n: c.name ?? null,
    t: c.tags ?? null,
    a: c.attributes,
  }));
  const [row] = await tx.rows<{ imported: number; updated: number; left_out: string[] }>(
    addTag === undefined ? UPSERT_SQL : UPSERT_WITH_TAG_SQL,
    addTag === undefined ? [JSON.stringify(lines), tenantId] : [JSON.stringify(lines), tenantId, addTag],
    CHUNK_TIMEOUT_MS,
  );
  const { imported, updated, left_out } = row ?? { imported: 0, updated: 0, left_out: [] };
  const leftOut = new Set(left_out);
  return { imported, updated, tooLarge: leftOut.size === 0 ? [] : chunk.filter((c) => leftOut.has(c.addressKey)) };
}

type ContactRow = Contact & { created_at: Date; updated_at: Date };
const CONTACT = `SELECT contact_id, recipient, name, coalesce(tags, '{}') AS tags, attributes, created_at, updated_at FROM contacts`;
const contactOf = (row: ContactRow): Contact => ({
  ...row,
  created_at: new Date(row.created_at).toISOString(),
  updated_at: new Date(row.updated_at).toISOString(),
});

export function createContactStore(pool: Pool): ContactStore {
  return {
    upsert: (tenantId, chunks, addTag) =>
      inTransaction<Upserted | 'busy'>(pool, async (tx) => {
        const [lock] = await tx.rows<{ got: boolean }>(
          `SELECT pg_try_advisory_xact_lock(hashtext('volley.import'), hashtext($1)) AS got`,
          [tenantId],
        );
        if (!lock?.got) return { undo: 'busy' };
        let imported = 0;
        let updated = 0;
        const tooLarge: ContactPatch[] = [];
        for await (const chunk of chunks) {
          const written = await upsertChunk(tx, tenantId, chunk, addTag);
          imported += written.imported;
          updated += written.updated;
          for (const contact of written.tooLarge) tooLarge.push(contact);
        }
        return { commit: { imported, updated, tooLarge } };
      }),

    async list(tenantId, page) {
      const values: unknown[] = [tenantId, page.limit];
      let where = `tenant_id = $1${segmentCondition(page.segment, values)}`;
      if (page.after) where += ` AND contact_id > $${values.push(page.after)}`;
      const rows = await ask<ContactRow>(pool, `${CONTACT} WHERE ${where} ORDER BY contact_id LIMIT $2`, values);
      return rows.map(contactOf);
    },

    async byAddress(tenantId, address) {
      const [row] = await ask<ContactRow>(pool, `${CONTACT} WHERE tenant_id = $1 AND address_key = $2`, [
        tenantId,
        address.toLowerCase(),
      ]);
      return row && contactOf(row);
    },

    async remove(tenantId, contactId) {
      const rows = await ask(pool, 'DELETE FROM contacts WHERE tenant_id = $1 AND contact_id = $2 RETURNING 1', [
        tenantId,
        contactId,
      ]);
      return rows.length === 1;
    },

    audience: (tenantId, segment, limit) =>
      inTransaction(pool, async (tx) => {
        const values: unknown[] = [tenantId];
        const from = `FROM contacts WHERE tenant_id = $1${segmentCondition(segment, values)}`;
        const [size] = await tx.rows<{ total: number }>(`SELECT count(*) AS total ${from}`, values, COUNT_TIMEOUT_MS);
        const rows = await tx.rows<FrozenRow>(
          `SELECT row_number() OVER (ORDER BY contact_id) AS ordinal, recipient, name, coalesce(tags, '{}') AS tags,
             attributes::text AS attributes
           FROM (SELECT * ${from} ORDER BY contact_id LIMIT ${Number(limit)}) AS first`,
          values,
        );
        return { undo: { total: size?.total ?? 0, rows } };
      }),
  };
}
