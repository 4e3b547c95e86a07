/**
 * The API key of this tab. It comes in the part of the address that browsers never send (`#key=…`), is moved to the
 * session's storage and taken out of the address, so that it stands in no history, no bookmark and no screenshot.
 */
const NAME = 'volley.key';
const listeners = new Set<() => void>();
/** Where the browser lets nothing be stored: as long as the page is there. */
let held: string | null = null;
let isRefused = false;
/** What a header can carry. */
const SENDABLE = /^[\x21-\x7e]+$/;

export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (key === null) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  if (key.trim() !== '') setApiKey(key.trim());
}

export function apiKey(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? held;
  } catch {
    return held;
  }
}

/** null: ask again. */
export function setApiKey(key: string | null): void {
  isRefused = key !== null && !SENDABLE.test(key);
  keep(isRefused ? null : key);
}

/** The API does not accept it: another one is asked for, unless there is one already. */
export function refuseApiKey(key: string): void {
  if (apiKey() !== key) return;
  isRefused = true;
  keep(null);
}

/** Whether the last one was not accepted. */
export const apiKeyIsRefused = (): boolean => isRefused;

export function onApiKey(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The key, as soon as there is one. */
export function apiKeyGiven(signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      forget();
      signal?.removeEventListener('abort', quit);
    };
    const look = () => {
      const key = apiKey();
      if (key === null) return;
      stop();
      resolve(key);
    };
    const quit = () => {
      stop();
      reject(signal?.reason);
    };
    const forget = onApiKey(look);
    signal?.addEventListener('abort', quit);
    if (signal?.aborted) quit();
    else look();
  });
}

function keep(key: string | null): void {
  held = null;
  try {
    if (key === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, key);
  } catch {
    held = key;
  }
  for (const listener of listeners) listener();
}
