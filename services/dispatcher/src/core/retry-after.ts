const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** RFC 9110 5.6.7: three forms of a date, all of them GMT; the oldest does not say so. */
const timeOf = (text: string): number => Date.parse(ASCTIME.test(text) ? `${text} GMT` : text);

/**
 * `Retry-After` in milliseconds from now (RFC 9110 10.2.3: seconds, or a date); undefined when it says nothing. A date is
 * compared with the answer's own `Date` where there is one: the two clocks may be hours apart.
 */
export function retryAfterMs(value: string | undefined, date: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,9}(\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1_000);
  // A bare number that is no second count would be read as a year.
  const atMs = /^[A-Z][a-z]{2}/.test(text) ? timeOf(text) : Number.NaN;
  if (Number.isNaN(atMs)) return undefined;
  const theirsMs = date === undefined ? Number.NaN : timeOf(date.trim());
  return Math.max(0, atMs - (Number.isNaN(theirsMs) ? nowMs : theirsMs));
}
