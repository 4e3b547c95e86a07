import type { ErrorRow, Failure } from './classify.ts';

const between = (f: Failure, low: number, high: number) =>
  f.status !== undefined && f.status >= low && f.status <= high;
const silent = (f: Failure) => f.status === undefined;
const oneOf = (f: Failure, ...statuses: readonly number[]) => f.status !== undefined && statuses.includes(f.status);
const TIMEOUTS: ReadonlySet<string | undefined> = new Set([
  'EABORT',
  'ETIMEDOUT',
  'UND_ERR_ABORTED',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
]);

export const HTTP_ERRORS: readonly ErrorRow[] = [
  {
    on: '`EBLOCKED`: the recipient’s URL names what Volley does not call',
    when: (f) => f.code === 'EBLOCKED',
    class: 'permanent',
    reason: 'blocked_destination',
    source: 'OWASP SSRF prevention, case 2; the rules are below. No connection was made',
  },
  {
    on: '`ERR_INVALID_URL`: no URL, where only the recipient could name one',
    when: (f) => f.code === 'ERR_INVALID_URL',
    class: 'poison',
    reason: 'invalid_recipient',
    source: 'WHATWG URL: cannot be parsed, so no attempt can help',
  },
  {
    on: 'no answer by the deadline: `ETIMEDOUT`, `UND_ERR_HEADERS_TIMEOUT`, `UND_ERR_BODY_TIMEOUT`, `UND_ERR_ABORTED`',
    when: (f) => silent(f) && TIMEOUTS.has(f.code) && f.stage !== 'connect',
    class: 'timeout',
    reason: 'provider_timeout',
    source: 'RFC 9110 9.2.2: a client cannot know whether a request without an answer was applied',
  },
  {
    on: 'connection lost once the request was begun: `ECONNRESET`, `EPIPE`, `UND_ERR_SOCKET`; an answer that is not HTTP: `HPE_*`',
    when: (f) => silent(f) && f.stage === 'content',
    class: 'timeout',
    reason: 'connection_failed',
    source: 'RFC 9112 9.3.1: a connection closed after the request leaves the outcome unknown',
  },
  {
    on: 'no connection: `ECONNREFUSED`, `ECONNRESET`, `EHOSTUNREACH`, `ENETUNREACH`, `ENOTFOUND`, `EAI_AGAIN`, `CERT_*`, `ERR_TLS_*`, `UND_ERR_CONNECT_TIMEOUT`',
    when: silent,
    class: 'transient',
    reason: 'connection_failed',
    source: 'Node.js and undici errors: all of them before a byte of the request was sent',
  },
  {
    on: '429; 413 and 503 with `Retry-After`',
    when: (f) => f.status === 429 || (oneOf(f, 413, 503) && f.retryAfterMs !== undefined),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'RFC 6585 4 (429); RFC 9110 10.2.3 (Retry-After), 15.5.14 (413 for now), 15.6.4 (503)',
  },
  {
    on: '504, 524',
    when: (f) => oneOf(f, 504, 524),
    class: 'timeout',
    reason: 'provider_timeout',
    source: 'RFC 9110 15.6.5 and Cloudflare 524: a gateway heard nothing; what is behind it may have taken it',
  },
  {
    on: '401, 407',
    when: (f) => oneOf(f, 401, 407),
    class: 'transient',
    reason: 'provider_transient',
    source: 'RFC 9110 15.5.2 and 15.5.8: about our credentials, not about this message',
  },
  {
    on: '408, 409, 421, 423, 425',
    when: (f) => oneOf(f, 408, 409, 421, 423, 425),
    class: 'transient',
    reason: 'provider_transient',
    source: 'RFC 9110 15.5.9, 15.5.10, 15.5.20, RFC 4918 11.3, RFC 8470 5.2: repeat it (409: the same id is under way)',
  },
  {
    on: '404, 410',
    when: (f) => oneOf(f, 404, 410),
    class: 'permanent',
    reason: 'recipient_refused',
    source: 'RFC 9110 15.5.5 and 15.5.11: the target is not there; Standard Webhooks: 410 ends the endpoint',
  },
  {
    on: 'other 4xx: 400, 403, 405, 413, 415, 422, 451',
    when: (f) => between(f, 400, 499),
    class: 'permanent',
    reason: 'provider_refused',
    source: 'RFC 9110 15.5: the request is at fault',
  },
  {
    on: '301, 308',
    when: (f) => oneOf(f, 301, 308),
    class: 'permanent',
    reason: 'provider_refused',
    source: 'RFC 9110 15.4.2 and 15.4.9: moved for good; a redirect is never followed (OWASP ASVS 15.3.2)',
  },
  {
    on: '501, 505',
    when: (f) => oneOf(f, 501, 505),
    class: 'permanent',
    reason: 'provider_refused',
    source: 'RFC 9110 15.6.2 and 15.6.6: the server does not do POST, or this HTTP, for any request',
  },
  {
    on: 'other 5xx (500, 502, 503 without `Retry-After`, 507, 52x) and other 3xx (not followed)',
    when: (f) => between(f, 300, 399) || between(f, 500, 599),
    class: 'transient',
    reason: 'provider_transient',
    source: 'RFC 9110 15.6 and 15.4: the server could not now; OWASP ASVS 15.3.2: redirects are not followed',
  },
];
