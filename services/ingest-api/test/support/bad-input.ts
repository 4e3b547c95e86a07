/** Requests that must be refused, with what they must hear. The tables stand in bad-json.ts and bad-requests.ts. */
export interface Case {
  readonly title: string;
  readonly method?: string;
  readonly path?: string;
  /** Raw bytes; a string goes as UTF-8. */
  readonly body?: string | Uint8Array;
  readonly type?: string | null;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  /** A pointer that must be among the errors. */
  readonly pointer?: string;
  readonly detail?: RegExp;
}

export const valid = { name: 'A', template: 'Hi' };
export const text = (more: object) => JSON.stringify({ ...valid, ...more });
export const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p) : Buffer.from(p))));
export const raw = (json: string): Partial<Case> & { body: string } => ({ body: json });
export const deep = (n: number) => '['.repeat(n) + ']'.repeat(n);
export const invalid = { status: 422, code: 'validation_failed' } as const;
export const malformed = { status: 400, code: 'malformed_body' } as const;
