import { ApiProblem, askTagged, Unreachable } from '../api/client.ts';
import { newIdempotencyKey } from '../api/idempotency-key.ts';
import type { CampaignView } from '../api/types.ts';
import {
  bodyOf,
  canBeKept,
  changesOf,
  type DraftBody,
  type DraftFields,
  errorsOf,
  fieldsOf,
  NO_FIELDS,
} from './fields.ts';

const REST_MS = 600;
const AGAIN_MS = 3_000;

export type Saving =
  /** Nothing to keep yet: it wants a name and a message. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'saved' }
  /** Refused until something is changed. */
  | { readonly kind: 'refused'; readonly error: Error }
  /** Could not be asked; it is tried again. */
  | { readonly kind: 'away'; readonly error: Error }
  /** Somebody else has saved it meanwhile. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not_draft' }
  | { readonly kind: 'gone' };

export interface DraftState {
  readonly fields: DraftFields;
  readonly saving: Saving;
  /** As it is saved; undefined before the first time. */
  readonly campaign: CampaignView | undefined;
  readonly etag: string | null;
  /** What the API last said against it: stays until it has answered again, so that nothing blinks while one types. */
  readonly problem: ApiProblem | undefined;
}

export interface Draft {
  get(): DraftState;
  subscribe(listener: () => void): () => void;
  change(part: Partial<DraftFields>): void;
  /** Saves what is not saved yet. The campaign, or undefined where it could not be saved as it stands. */
  flush(): Promise<CampaignView | undefined>;
  /** What is saved now, by whomever; ours is dropped. */
  takeTheirs(): Promise<void>;
  /** Ours over what is saved now. */
  keepMine(): Promise<void>;
  /** No more is saved: it was sent or deleted. */
  stop(): void;
}

interface Kept {
  readonly value: CampaignView;
  readonly etag: string | null;
}

const pathOf = (id: string) => `/v1/campaigns/${encodeURIComponent(id)}`;
export const loadDraft = (id: string, signal?: AbortSignal): Promise<Kept> =>
  askTagged<CampaignView>(pathOf(id), { signal });

/** A draft that saves itself a moment after it was changed: one request at a time, and never over somebody else's. */
export function openDraft(kept: Kept | undefined, start: Partial<DraftFields> = {}): Draft {
  const listeners = new Set<() => void>();
  let state: DraftState = {
    fields: kept ? fieldsOf(kept.value) : { ...NO_FIELDS, ...start },
    saving: { kind: kept ? 'saved' : 'incomplete' },
    campaign: kept?.value,
    etag: kept?.etag ?? null,
    problem: undefined,
  };
  /** Of the form when it was last saved: the API may write a value in another way than it was given. */
  let saved: DraftBody | undefined = kept && bodyOf(state.fields);
  /** A creation whose answer we do not know is repeated as it was: the key makes it one draft. */
  let creating: { readonly key: string; readonly body: DraftBody } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let isStopped = false;

  const set = (part: Partial<DraftState>) => {
    state = { ...state, ...part };
    for (const listener of listeners) listener();
  };
  const tell = (saving: Saving) => set({ saving });
  const isDirty = () => !saved || Object.keys(changesOf(bodyOf(state.fields), saved)).length > 0;
  const later = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void save(), ms);
  };
  const taken = ({ value, etag }: Kept, body: DraftBody) => {
    saved = body;
    set({ campaign: value, etag, problem: undefined });
  };

  async function saveOnce(): Promise<void> {
    const { fields, campaign, etag } = state;
    if (!campaign) {
      creating ??= { key: newIdempotencyKey(), body: bodyOf(fields) };
      const { key, body } = creating;
      taken(
        await askTagged<CampaignView>('/v1/campaigns', { method: 'POST', body, headers: { 'Idempotency-Key': key } }),
        body,
      );
      creating = undefined;
      return;
    }
    const body = bodyOf(fields);
    const changes = changesOf(body, saved ?? bodyOf(fieldsOf(campaign)));
    const headers = etag === null ? {} : { 'If-Match': etag };
    taken(
      await askTagged<CampaignView>(pathOf(campaign.campaign_id), { method: 'PATCH', body: changes, headers }),
      body,
    );
  }

  /** What an error means for the draft. */
  function savingAfter(error: unknown): Saving {
    if (!(error instanceof ApiProblem) || error.status >= 500 || error.code === 'busy' || error.code === 'conflict')
      return { kind: 'away', error: error instanceof Error ? error : new Unreachable(String(error)) };
    if (error.code === 'version_mismatch') return { kind: 'conflict' };
    if (error.code === 'illegal_transition') return { kind: 'not_draft' };
    if (error.code === 'not_found') return { kind: 'gone' };
    return { kind: 'refused', error };
  }

  function failed(error: unknown): void {
    const saving = savingAfter(error);
    set({ saving, ...(saving.kind === 'refused' && error instanceof ApiProblem ? { problem: error } : {}) });
    if (saving.kind !== 'away') creating = undefined;
    else if (!isStopped) later(AGAIN_MS);
  }

  async function saveAll(): Promise<void> {
    try {
      while (!isStopped && isDirty()) {
        if (!state.campaign && !canBeKept(state.fields)) return tell({ kind: 'incomplete' });
        const wrong = Object.values(errorsOf(state.fields))[0];
        if (wrong !== undefined) return tell({ kind: 'refused', error: new Error(wrong) });
        tell({ kind: 'saving' });
        await saveOnce();
      }
      tell({ kind: 'saved' });
    } catch (error) {
      failed(error);
    }
  }

  function save(): Promise<void> {
    clearTimeout(timer);
    if (isStopped || state.saving.kind === 'conflict') return Promise.resolve();
    running ??= saveAll().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    get: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(part) {
      set({ fields: { ...state.fields, ...part } });
      if (state.saving.kind === 'conflict' || isStopped) return;
      if (!running && state.saving.kind !== 'incomplete') tell({ kind: 'changed' });
      later(REST_MS);
    },
    async flush() {
      await save();
      // What was typed while it was being saved.
      if (state.saving.kind === 'changed') await save();
      return state.saving.kind === 'saved' && !isDirty() ? state.campaign : undefined;
    },
    async takeTheirs() {
      if (!state.campaign) return;
      const theirs = await loadDraft(state.campaign.campaign_id);
      saved = bodyOf(fieldsOf(theirs.value));
      set({
        fields: fieldsOf(theirs.value),
        campaign: theirs.value,
        etag: theirs.etag,
        saving: { kind: 'saved' },
        problem: undefined,
      });
    },
    async keepMine() {
      if (!state.campaign) return;
      const theirs = await loadDraft(state.campaign.campaign_id);
      saved = bodyOf(fieldsOf(theirs.value));
      set({ campaign: theirs.value, etag: theirs.etag, saving: { kind: 'changed' } });
      await save();
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
