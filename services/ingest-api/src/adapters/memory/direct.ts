import { packRecords } from '../../core/direct.ts';
import type { DirectRecord, DirectStore, Known } from '../../direct-ports.ts';
import { later, type MemoryState } from './state.ts';

export function createMemoryDirect(state: MemoryState, monotonicMs: () => number, redoMs: number): DirectStore {
  const { direct: tables } = state;
  return {
    async reserve(r) {
      await later();
      const row = state.campaigns.get(r.campaignId);
      if (row === undefined || row.state.status !== 'running' || !row.state.open) return 'refused';
      if (r.request === undefined) tables.request += 1;
      const request = r.request ?? tables.request;
      const pending = new Set([...tables.batches.values()].map((batch) => batch.request));
      const known: Known[] = [];
      const write: DirectRecord[] = [];
      let taken = 0;
      for (const record of r.records) {
        const first = record.named ? tables.messages.get(record.messageId) : undefined;
        if (first === undefined) {
          if (record.named)
            tables.messages.set(record.messageId, { campaignId: r.campaignId, request, partition: record.partition });
          taken += 1;
          known.push('new');
          write.push(record);
        } else if (first.request === request) known.push('own');
        else if (!pending.has(first.request)) known.push('known');
        else {
          known.push('again');
          write.push({ ...record, partition: first.partition });
        }
      }
      for (const batch of r.written) tables.batches.delete(batch);
      let batch: number | undefined;
      if (write.length > 0) {
        batch = ++tables.batch;
        const { campaignId, tenantId, lane, logFrom } = r;
        const records = packRecords(write);
        tables.batches.set(batch, {
          batch,
          request,
          campaignId,
          tenantId,
          lane,
          logFrom,
          records,
          dueAtMs: monotonicMs() + redoMs,
        });
      }
      state.campaigns.set(r.campaignId, { ...row, accepted: row.accepted + taken });
      return { request, batch, known, write };
    },
    async written(batches) {
      await later();
      for (const batch of batches) tables.batches.delete(batch);
    },
    async due() {
      await later();
      const now = monotonicMs();
      const found = [...tables.batches.values()].find((batch) => batch.dueAtMs < now);
      if (found) found.dueAtMs = now + redoMs;
      return found;
    },
    async forget() {
      await later();
      for (const [id, { campaignId }] of tables.messages)
        if (!state.campaigns.get(campaignId)?.state.open) tables.messages.delete(id);
      return false;
    },
  };
}
