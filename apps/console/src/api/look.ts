import { tellReached } from './reach.ts';

const LOOK_MS = 2_000;

/** Asks whether anybody answers, and tells it. The address is one that needs no key. */
export async function lookForApi(signal?: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(LOOK_MS);
  try {
    const response = await fetch('/openapi.json', {
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: 'no-store',
    });
    void response.body?.cancel().catch(() => {});
    tellReached(true);
  } catch {
    if (!signal?.aborted) tellReached(false);
  }
}
