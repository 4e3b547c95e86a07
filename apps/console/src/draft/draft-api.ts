import { askTagged } from '../api/client.ts';
import { apiKey } from '../api/key.ts';
import type { CampaignView } from '../api/types.ts';
import type { DraftBody } from './fields.ts';

/** A campaign as it is saved, and the tag of that version. */
export interface Kept {
  readonly value: CampaignView;
  readonly etag: string | null;
}

/** What a draft asks of the API. */
export interface DraftApi {
  load(id: string): Promise<Kept>;
  /** A repeat under the same key makes no second one. */
  create(body: DraftBody, key: string): Promise<Kept>;
  change(id: string, changes: Partial<DraftBody>, etag: string | null): Promise<Kept>;
  /** False while nobody has given a key: there is no use in asking. */
  canAsk(): boolean;
}

const pathOf = (id: string) => `/v1/campaigns/${encodeURIComponent(id)}`;

export const loadDraft = (id: string, signal?: AbortSignal): Promise<Kept> =>
  askTagged<CampaignView>(pathOf(id), { signal });

export const DRAFT_API: DraftApi = {
  load: (id) => loadDraft(id),
  create: (body, key) =>
    askTagged<CampaignView>('/v1/campaigns', { method: 'POST', body, headers: { 'Idempotency-Key': key } }),
  change: (id, body, etag) =>
    askTagged<CampaignView>(pathOf(id), {
      method: 'PATCH',
      body,
      headers: etag === null ? {} : { 'If-Match': etag },
    }),
  canAsk: () => apiKey() !== null,
};
