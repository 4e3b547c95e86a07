import type { ErrorRow, Failure } from './classify.ts';

const between = (f: Failure, low: number, high: number) =>
  f.status !== undefined && f.status >= low && f.status <= high;
const silent = (f: Failure) => f.status === undefined;
const enhanced = (f: Failure, pattern: RegExp) => f.enhanced !== undefined && pattern.test(f.enhanced);

export const SMTP_ERRORS: readonly ErrorRow[] = [
  {
    on: 'no answer by the deadline, after the connection was made',
    when: (f) => silent(f) && (f.code === 'EABORT' || f.code === 'ETIMEDOUT') && f.stage !== 'connect',
    class: 'timeout',
    reason: 'provider_timeout',
    source: 'RFC 5321 4.5.3.2.6: after the final dot a server may have taken it without our hearing so',
  },
  {
    on: 'connection lost once the mail was begun, whatever the code (`ECONNECTION`, `ESOCKET`, `ECONNRESET`, `EPIPE`)',
    when: (f) => silent(f) && f.stage === 'content' && f.code !== 'EMESSAGE' && f.code !== 'EENVELOPE',
    class: 'timeout',
    reason: 'connection_failed',
    source: 'RFC 1047: a connection lost around the final dot leaves the outcome unknown',
  },
  {
    on: '`EENVELOPE` without an answer',
    when: (f) => silent(f) && f.code === 'EENVELOPE',
    class: 'poison',
    reason: 'invalid_recipient',
    source: 'nodemailer smtp-connection: refuses an envelope before it writes a byte',
  },
  {
    on: '`EMESSAGE` without an answer',
    when: (f) => silent(f) && f.code === 'EMESSAGE',
    class: 'permanent',
    reason: 'provider_refused',
    source: 'RFC 1870 6.1: larger than the SIZE that the server announced',
  },
  {
    on: 'no connection: `ECONNECTION`, `ESOCKET`, `EDNS`, `ETLS`, `EPROTOCOL`, `ETIMEDOUT` while connecting',
    when: silent,
    class: 'transient',
    reason: 'connection_failed',
    source: 'nodemailer errors: all of them before a byte of the mail was sent',
  },
  {
    on: '4.7.28, and 450 4.2.1 with "SMTP relay limit"',
    when: (f) => enhanced(f, /^4\.7\.28$/) || (enhanced(f, /^4\.2\.1$/) && /SMTP relay limit/i.test(f.detail)),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'Google SMTP error reference: unusual rate of mail; peak relay limit exceeded for the customer',
  },
  {
    on: '4.7.500 to 4.7.699',
    when: (f) => enhanced(f, /^4\.7\.[56]\d\d$/),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'Microsoft non-delivery codes: 4.7.500-699 access denied for now, 4.7.650 rate limited by reputation',
  },
  {
    on: '432 4.3.2',
    when: (f) => f.status === 432 && enhanced(f, /^4\.3\.2$/),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'Microsoft SMTP submission limits: concurrent connections limit exceeded (three a mailbox)',
  },
  {
    on: '454 with "Throttling"',
    when: (f) => f.status === 454 && /throttling/i.test(f.detail),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'Amazon SES sending quotas: 454 Throttling failure, maximum rate or daily quota',
  },
  {
    on: '421 or 451 with [TSnn] or [TSSnn]',
    when: (f) => (f.status === 421 || f.status === 451) && /\[TSS?\d\d\]/.test(f.detail),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'Yahoo sender hub, SMTP error codes: deferred for unexpected volume or complaints',
  },
  {
    on: 'X.4.5, also as a 5yz answer',
    when: (f) => enhanced(f, /^[45]\.4\.5$/),
    class: 'throttled',
    reason: 'provider_throttled',
    source: 'RFC 3463 3.5: X.4.5 is congestion and means nothing but later; Google: 5.4.5 daily sending limit',
  },
  {
    on: '503',
    when: (f) => f.status === 503,
    class: 'transient',
    reason: 'provider_transient',
    source: 'RFC 5321 4.2.3: bad sequence of commands says the session is wrong, not the message',
  },
  {
    on: '530, 534, 535, 538 at any time; `EAUTH`; any answer before MAIL (554 as greeting, 421, 521)',
    when: (f) => f.code === 'EAUTH' || f.stage === 'connect' || [530, 534, 535, 538].includes(f.status ?? 0),
    class: 'transient',
    reason: 'connection_failed',
    source: 'RFC 4954 6, RFC 3207 4 and RFC 5321 3.1: about our session or account, not about this message',
  },
  {
    on: '4yz: greylisting, mailbox busy or full for now, 421 closing',
    when: (f) => between(f, 400, 499),
    class: 'transient',
    reason: 'provider_transient',
    source: 'RFC 5321 4.2.1: 4yz is a transient negative answer',
  },
  {
    on: '5.1.0 to 5.1.4, 5.1.6, 5.1.10, 5.2.n',
    when: (f) => enhanced(f, /^5\.(1\.[012346]|1\.10|2\.\d+)$/),
    class: 'permanent',
    reason: 'recipient_refused',
    source: 'RFC 3463 3.2 and 3.3: X.1.n recipient address, X.2.n mailbox; RFC 7505: 5.1.10 null MX',
  },
  {
    on: '5.4.1 and 5.4.310',
    when: (f) => enhanced(f, /^5\.4\.(1|310)$/),
    class: 'permanent',
    reason: 'recipient_refused',
    source: 'Microsoft non-delivery codes: 5.4.1 recipient address rejected, 5.4.310 its domain does not exist',
  },
  {
    on: '5yz to RCPT, without an enhanced code or with another than 5.3.n to 5.7.n; 556',
    when: (f) => f.status === 556 || (f.stage === 'recipient' && !enhanced(f, /^5\.[3-7]\./) && between(f, 500, 599)),
    class: 'permanent',
    reason: 'recipient_refused',
    source: 'RFC 5321 3.3: a 5yz answer to RCPT refuses this recipient; RFC 7504: 556 domain takes no mail',
  },
  {
    on: 'other 5yz: sender, content, size, policy',
    when: (f) => between(f, 500, 599),
    class: 'permanent',
    reason: 'provider_refused',
    source: 'RFC 5321 4.2.1: 5yz, do not repeat the exact request',
  },
];
