/** How often a condition is asked. Short: what is waited for is usually a few milliseconds away. */
const EVERY_MS = 20;

/**
 * Asks until `probe` answers something else than undefined, null or false, and hands that on. A rejected probe counts as
 * "not yet". When time is up it throws with what was seen last, so that a failed test says where things stood.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number; readonly seen?: () => unknown } = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown = 'nothing';
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = options.seen?.() ?? answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadlineMs) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`not within ${timeoutMs} ms: ${what}; last seen: ${seen}`);
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? EVERY_MS));
  }
}
