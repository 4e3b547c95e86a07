/**
 * The API key of this tab. It comes in the part of the address that browsers never send (`#key=…`), is moved to the
 * session's storage and taken out of the address, so that it stands in no history, no bookmark and no screenshot.
 */
const NAME = 'volley.key';
const listeners = new Set<() => void>();

export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (key === null) return;
  sessionStorage.setItem(NAME, key);
  history.replaceState(history.state, '', location.pathname + location.search);
}

export const apiKey = (): string | null => sessionStorage.getItem(NAME);

/** null: ask again. */
export function setApiKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, key);
  for (const listener of listeners) listener();
}

export function onApiKey(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
