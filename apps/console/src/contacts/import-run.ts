import { useSyncExternalStore } from 'react';
import type { FileType } from './inspect-file.ts';
import { type Outcome, upload } from './upload.ts';

interface Started {
  readonly file: File;
  readonly type: FileType;
  readonly addTag: string;
}
export type ImportRun =
  | { readonly step: 'idle' }
  | (Started & {
      readonly step: 'sending';
      readonly sentBytes: number;
      /** Of the last seconds; undefined until it can be told. */
      readonly bytesPerS: number | undefined;
    })
  | (Started & { readonly step: 'working'; readonly sinceMs: number })
  | (Started & { readonly step: 'ended'; readonly outcome: Outcome });

/** Figures that change more often than this cannot be read. */
const SHOW_EVERY_MS = 250;
const RATE_OVER_MS = 4_000;

// It belongs to the tab and not to the page: whoever looks at another page meanwhile finds it as it is.
let run: ImportRun = { step: 'idle' };
let cancel: (() => void) | undefined;
const listeners = new Set<() => void>();

const warn = (event: BeforeUnloadEvent) => event.preventDefault();

function show(next: ImportRun): void {
  run = next;
  if (run.step === 'sending' || run.step === 'working') addEventListener('beforeunload', warn);
  else removeEventListener('beforeunload', warn);
  for (const listener of listeners) listener();
}

export function startImport(started: Started): void {
  if (run.step === 'sending' || run.step === 'working') return;
  const marks: { readonly atMs: number; readonly bytes: number }[] = [{ atMs: performance.now(), bytes: 0 }];
  let shownAtMs = 0;
  show({ ...started, step: 'sending', sentBytes: 0, bytesPerS: undefined });
  cancel = upload({
    ...started,
    onSent(bytes) {
      const atMs = performance.now();
      if (atMs - shownAtMs < SHOW_EVERY_MS || run.step !== 'sending') return;
      shownAtMs = atMs;
      marks.push({ atMs, bytes });
      while (marks.length > 2 && atMs - (marks[0]?.atMs ?? atMs) > RATE_OVER_MS) marks.shift();
      const first = marks[0] ?? { atMs, bytes };
      const tookMs = atMs - first.atMs;
      const bytesPerS = tookMs < 500 ? undefined : ((bytes - first.bytes) / tookMs) * 1_000;
      show({ ...started, step: 'sending', sentBytes: bytes, bytesPerS });
    },
    onSentAll: () => {
      if (run.step === 'sending') show({ ...started, step: 'working', sinceMs: Date.now() });
    },
    onEnd(outcome) {
      cancel = undefined;
      show({ ...started, step: 'ended', outcome });
    },
  });
}

export const cancelImport = (): void => cancel?.();
export const forgetImport = (): void => {
  if (run.step === 'ended') show({ step: 'idle' });
};

export const useImportRun = (): ImportRun =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => run,
  );
