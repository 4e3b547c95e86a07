import { ApiProblem } from '../api/client.ts';
import { newIdempotencyKey } from '../api/idempotency-key.ts';
import type { CampaignView } from '../api/types.ts';
import { DRAFT_API, type DraftApi, type Kept } from './draft-api.ts';
import {
  bodyOf,
  canBeKept,
  changesOf,
  type DraftFields,
  errorsOf,
  type FieldName,
  fieldsOf,
  NO_FIELDS,
} from './fields.ts';
import { isHalted, type Saving, savingAfter, waitAfter } from './saving.ts';
import {
  type Creation,
  differing,
  isWorthKeeping,
  type LinkedRule,
  leftOfNew,
  TAB_STORE,
  type UnsavedStore,
} from './unsaved.ts';

const REST_MS = 600;
const AGAIN_MS = 3_000;
/** Of saves whose answer was lost: any of them may be what is saved now. */
const MAX_LOST = 20;

export interface DraftState {
  readonly fields: DraftFields;
  readonly saving: Saving;
  /** As it is saved; undefined before the first time. */
  readonly campaign: CampaignView | undefined;
  readonly etag: string | null;
  /** What the API last said against it: stays until it has answered again, so that nothing blinks while one types. */
  readonly problem: ApiProblem | undefined;
  /** Was left unsaved, and stands in the form again. */
  readonly isRestored: boolean;
}

export interface Draft {
  get(): DraftState;
  subscribe(listener: () => void): () => void;
  /** It is on the page: whatever still saved the same draft from an earlier visit ends. */
  attach(): void;
  /** The page is left: what is not saved yet is saved, or kept for the next visit. */
  leave(): void;
  change(part: Partial<DraftFields>): void;
  /** Something here is neither saved nor kept for the next visit: the browser has refused to. */
  isAtRisk(): boolean;
  /** The form as it would be had nothing been restored. */
  dropRestored(): void;
  /** Saves what is not saved yet. The campaign, or undefined where it could not be saved as it stands. */
  flush(): Promise<CampaignView | undefined>;
  /** Takes a newer version, if there is one and nothing here is unsaved. Whether there was one. */
  refresh(): Promise<boolean>;
  /** What is saved now, by whomever; ours is dropped. */
  takeTheirs(): Promise<void>;
  /** Ours over what is saved now. */
  keepMine(): Promise<void>;
  /** No more is saved: it was sent or deleted. */
  stop(): void;
}

interface DraftOptions {
  readonly api?: DraftApi;
  readonly store?: UnsavedStore;
  /** Of a new draft; by itself nothing that has to be kept. */
  readonly link?: LinkedRule | undefined;
  readonly restMs?: number;
  readonly againMs?: number;
}

/** What ends the saving of a draft that was left; by its id, and the one without an id under undefined. */
const atWork = new Map<string | undefined, () => void>();

const isSame = (a: DraftFields, b: DraftFields) => Object.keys(changesOf(bodyOf(a), bodyOf(b))).length === 0;
/** Whether it is what was sent; where no provider was named, the API has chosen one. */
const isWhatWasSent = (theirs: DraftFields, sent: DraftFields) =>
  isSame(theirs, sent.provider === '' ? { ...sent, provider: theirs.provider } : sent);

/** A draft that saves itself a moment after it was changed: one request at a time, and never over somebody else's. */
export function openDraft(kept: Kept | undefined, options: DraftOptions = {}): Draft {
  const { api = DRAFT_API, store = TAB_STORE, link, restMs = REST_MS, againMs = AGAIN_MS } = options;
  const listeners = new Set<() => void>();
  const base = kept ? fieldsOf(kept.value) : { ...NO_FIELDS, segment_rule: link?.rule ?? '' };
  const left = store.read(kept?.value.campaign_id);
  const restored = differing(base, kept ? (left?.fields ?? {}) : leftOfNew(left, link));
  const names = Object.keys(restored) as FieldName[];
  const isRestored = names.length > 0;
  let state: DraftState = {
    fields: { ...base, ...restored },
    saving: { kind: kept ? 'saved' : 'incomplete' },
    campaign: kept?.value,
    etag: kept?.etag ?? null,
    problem: undefined,
    isRestored,
  };
  // Where somebody else has changed the same field meanwhile, a person says which it is to be.
  const isConflict = names.some((name) => left?.over[name] !== base[name]);
  if (kept && isRestored) state = { ...state, saving: { kind: isConflict ? 'conflict' : 'changed' } };
  /** The form when it was last saved: the API may write a value in another way than it was given. */
  let saved: DraftFields | undefined = kept && base;
  let creating: Creation | undefined = left?.creating;
  let lost: readonly DraftFields[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let notBefore = 0;
  let running: Promise<void> | undefined;
  let isStopped = false;
  /** Changed since it was opened: what is saved now is no longer just what was restored. */
  let isTouched = false;
  let isAtRisk = false;

  const set = (part: Partial<DraftState>) => {
    state = { ...state, ...part };
    for (const listener of listeners) listener();
  };
  const tell = (saving: Saving) => set({ saving });
  const idOf = () => state.campaign?.campaign_id;
  const isDirty = () => !saved || !isSame(state.fields, saved);
  const later = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        timer = undefined;
        if (api.canAsk()) void save();
        else later(againMs);
      },
      Math.max(ms, notBefore - Date.now()),
    );
  };
  /** For the next visit, should this one end here. */
  const remember = () => {
    if (isStopped) return;
    const below = saved ?? base;
    const typed = differing(below, state.fields);
    const isUnsaved = saved ? Object.keys(typed).length > 0 : isWorthKeeping(typed);
    // Of a new draft also what a link has filled: the next visit may come without it.
    const fields = saved ? typed : differing(NO_FIELDS, state.fields);
    const isKept = store.write(
      idOf(),
      isUnsaved ? { fields, over: differing(state.fields, below), creating } : undefined,
    );
    isAtRisk = isUnsaved && isKept === false;
  };
  const superseded = () => {
    isStopped = true;
    clearTimeout(timer);
  };
  const claim = () => {
    const other = atWork.get(idOf());
    if (other !== superseded) other?.();
    atWork.set(idOf(), superseded);
  };
  const release = (id: string | undefined) => {
    if (atWork.get(id) === superseded) atWork.delete(id);
  };

  function taken({ value, etag }: Kept, fields: DraftFields): void {
    saved = fields;
    creating = undefined;
    lost = [];
    const isFirst = !state.campaign;
    set({ campaign: value, etag, problem: undefined });
    if (isStopped) return;
    if (isFirst) {
      store.write(undefined, undefined);
      release(undefined);
      claim();
    }
    remember();
  }

  function saveOnce(sent: DraftFields): Promise<Kept> {
    const { campaign, etag } = state;
    if (campaign) return api.change(campaign.campaign_id, changesOf(bodyOf(sent), bodyOf(saved ?? sent)), etag);
    creating ??= { key: newIdempotencyKey(), fields: sent };
    remember();
    return api.create(bodyOf(sent), creating.key);
  }

  /** Another version is there. If it is what we have sent, its answer was lost and nobody else has changed anything. */
  async function tookOwn(sent: DraftFields): Promise<boolean> {
    const theirs = await api.load(idOf() ?? '');
    const fields = fieldsOf(theirs.value);
    const own = [sent, ...lost].find((each) => isWhatWasSent(fields, each));
    if (own) taken(theirs, own);
    return own !== undefined;
  }

  /** Whether the form has gone on and is to be saved as it is now. */
  async function failed(error: unknown, sent: DraftFields): Promise<boolean> {
    let saving = savingAfter(error);
    if (saving.kind === 'conflict') {
      try {
        if (await tookOwn(sent)) return true;
      } catch (other) {
        saving = savingAfter(other);
      }
    }
    if (isStopped) return false;
    if (saving.kind === 'away') {
      if (state.campaign) lost = [sent, ...lost.filter((each) => !isSame(each, sent))].slice(0, MAX_LOST);
      const waitMs = waitAfter(saving.error, againMs);
      notBefore = waitMs > againMs ? Date.now() + waitMs : 0;
      tell(saving);
      later(waitMs);
      return false;
    }
    creating = undefined;
    const hasGoneOn = saving.kind === 'refused' && !isSame(state.fields, sent);
    const problem = saving.kind === 'refused' && error instanceof ApiProblem ? error : state.problem;
    // A timer that still runs saves it when the typing rests; one that ran out meanwhile has not.
    set({ saving: hasGoneOn ? { kind: 'changed' } : saving, problem });
    remember();
    return hasGoneOn && timer === undefined;
  }

  async function saveAll(): Promise<void> {
    while (!isStopped) {
      if (!state.campaign && !canBeKept(state.fields)) return tell({ kind: 'incomplete' });
      const wrong = Object.values(errorsOf(state.fields))[0];
      if (wrong !== undefined) return tell({ kind: 'refused', error: new Error(wrong) });
      if (!isDirty()) {
        saved = state.fields;
        remember();
        return set({ saving: { kind: 'saved' }, isRestored: state.isRestored && !isTouched });
      }
      tell({ kind: 'saving' });
      const sent = (!state.campaign && creating?.fields) || state.fields;
      try {
        taken(await saveOnce(sent), sent);
        notBefore = 0;
      } catch (error) {
        if (!(await failed(error, sent))) return;
      }
    }
  }

  function save(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (isStopped || isHalted(state.saving)) return Promise.resolve();
    running ??= saveAll().finally(() => {
      running = undefined;
    });
    return running;
  }

  function change(part: Partial<DraftFields>): void {
    isTouched = true;
    set({ fields: { ...state.fields, ...part } });
    remember();
    if (isStopped || isHalted(state.saving)) return;
    if (!running && state.saving.kind !== 'incomplete' && state.saving.kind !== 'away') tell({ kind: 'changed' });
    later(restMs);
  }

  function take(theirs: Kept): void {
    if (isStopped) return;
    saved = fieldsOf(theirs.value);
    lost = [];
    const isDraft = (theirs.value.status as string) === 'draft';
    set({
      fields: saved,
      campaign: theirs.value,
      etag: theirs.etag,
      saving: { kind: isDraft ? 'saved' : 'not_draft' },
      problem: undefined,
      isRestored: false,
    });
    remember();
  }

  return {
    get: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    attach() {
      if (isStopped) return;
      claim();
      if (isRestored && !isHalted(state.saving)) later(restMs);
    },
    leave() {
      remember();
      const { kind } = state.saving;
      // What is away is tried again in its time, the rest stays kept.
      if (kind === 'changed' || kind === 'incomplete') void save();
      if (kind === 'saved') release(idOf());
    },
    change,
    isAtRisk: () => isAtRisk && !isStopped,
    dropRestored() {
      change(Object.fromEntries(names.map((name) => [name, base[name]])));
      set({ isRestored: false });
      remember();
    },
    async flush() {
      await save();
      // What was typed while it was being saved.
      if (state.saving.kind === 'changed') await save();
      return state.saving.kind === 'saved' && !isDirty() ? state.campaign : undefined;
    },
    async refresh() {
      const id = idOf();
      if (id === undefined) return false;
      const theirs = await api.load(id);
      if (theirs.etag === state.etag || state.saving.kind !== 'saved' || isDirty()) return false;
      take(theirs);
      return true;
    },
    async takeTheirs() {
      const id = idOf();
      if (id !== undefined) take(await api.load(id));
    },
    async keepMine() {
      const id = idOf();
      if (id === undefined) return;
      const theirs = await api.load(id);
      saved = fieldsOf(theirs.value);
      lost = [];
      set({ campaign: theirs.value, etag: theirs.etag, saving: { kind: 'changed' }, isRestored: false });
      remember();
      await save();
    },
    stop() {
      superseded();
      release(idOf());
      store.write(idOf(), undefined);
    },
  };
}
