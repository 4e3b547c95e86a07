import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { classify, ERROR_TABLES, type Failure, noAnswer, OTHERWISE } from '../../src/core/classify.ts';

const smtp = (f: Partial<Failure>): Failure => ({ protocol: 'smtp', detail: '', ...f });
const http = (f: Partial<Failure>): Failure => ({ protocol: 'http', detail: '', ...f });

type Case = readonly [title: string, failure: Partial<Failure>, wantedClass: string, wantedReason: string];

const SMTP: readonly Case[] = [
  ['our deadline', { code: 'ETIMEDOUT' }, 'timeout', 'provider_timeout'],
  ['a silent server after the mail', { code: 'ETIMEDOUT', stage: 'content' }, 'timeout', 'provider_timeout'],
  ['a silent server while connecting', { code: 'ETIMEDOUT', stage: 'connect' }, 'transient', 'connection_failed'],
  ['a lost connection at the dot', { code: 'ECONNECTION', stage: 'content' }, 'timeout', 'connection_failed'],
  ['a reset at the dot', { code: 'ECONNRESET', stage: 'content' }, 'timeout', 'connection_failed'],
  ['a broken pipe at the dot', { code: 'EPIPE', stage: 'content' }, 'timeout', 'connection_failed'],
  ['a lost connection at MAIL', { code: 'ECONNECTION', stage: 'sender' }, 'transient', 'connection_failed'],
  ['a connection refused', { code: 'ESOCKET', stage: 'connect' }, 'transient', 'connection_failed'],
  ['an unknown host', { code: 'EDNS', stage: 'connect' }, 'transient', 'connection_failed'],
  ['a TLS failure', { code: 'ETLS', stage: 'connect' }, 'transient', 'connection_failed'],
  ['554 as greeting', { code: 'EPROTOCOL', status: 554, stage: 'connect' }, 'transient', 'connection_failed'],
  ['a wrong password', { code: 'EAUTH', status: 535, enhanced: '5.7.8' }, 'transient', 'connection_failed'],
  ['530 to MAIL', { status: 530, enhanced: '5.7.0', stage: 'sender' }, 'transient', 'connection_failed'],
  ['greylisting', { status: 451, enhanced: '4.7.1', stage: 'recipient' }, 'transient', 'provider_transient'],
  ['421 service closing', { status: 421, stage: 'sender' }, 'transient', 'provider_transient'],
  [
    'a full mailbox, for now',
    { status: 452, enhanced: '4.2.2', stage: 'recipient' },
    'transient',
    'provider_transient',
  ],
  ['Google rate', { status: 421, enhanced: '4.7.28', stage: 'content' }, 'throttled', 'provider_throttled'],
  [
    'Google relay peak',
    { status: 450, enhanced: '4.2.1', detail: '450 4.2.1 Peak SMTP relay limit exceeded for customer.' },
    'throttled',
    'provider_throttled',
  ],
  [
    'a Google mailbox that gets mail too quickly',
    {
      status: 450,
      enhanced: '4.2.1',
      detail: '450 4.2.1 The user you are trying to contact is receiving mail too quickly',
    },
    'transient',
    'provider_transient',
  ],
  ['Google daily limit', { status: 550, enhanced: '5.4.5', stage: 'content' }, 'throttled', 'provider_throttled'],
  ['congestion', { status: 451, enhanced: '4.4.5' }, 'throttled', 'provider_throttled'],
  ['Outlook rate', { status: 451, enhanced: '4.7.650', stage: 'sender' }, 'throttled', 'provider_throttled'],
  ['Outlook busy', { status: 451, enhanced: '4.7.500', stage: 'sender' }, 'throttled', 'provider_throttled'],
  ['Exchange submission', { status: 432, enhanced: '4.3.2', stage: 'sender' }, 'throttled', 'provider_throttled'],
  [
    'Amazon rate',
    { status: 454, stage: 'content', detail: '454 Throttling failure: Maximum sending rate exceeded.' },
    'throttled',
    'provider_throttled',
  ],
  [
    '454 without TLS',
    { status: 454, stage: 'sender', detail: '454 TLS not available' },
    'transient',
    'provider_transient',
  ],
  [
    'Yahoo volume',
    { status: 421, enhanced: '4.7.0', detail: '421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred' },
    'throttled',
    'provider_throttled',
  ],
  ['no such user', { status: 550, enhanced: '5.1.1', stage: 'recipient' }, 'permanent', 'recipient_refused'],
  ['no such user, told late', { status: 550, enhanced: '5.1.1', stage: 'content' }, 'permanent', 'recipient_refused'],
  ['null MX', { status: 556, enhanced: '5.1.10', stage: 'recipient' }, 'permanent', 'recipient_refused'],
  ['a domain without mail', { status: 556, stage: 'sender' }, 'permanent', 'recipient_refused'],
  ['a mailbox full for good', { status: 552, enhanced: '5.2.2', stage: 'recipient' }, 'permanent', 'recipient_refused'],
  ['550 to RCPT without more', { status: 550, stage: 'recipient' }, 'permanent', 'recipient_refused'],
  [
    'Outlook: no such address',
    { status: 550, enhanced: '5.4.1', stage: 'recipient' },
    'permanent',
    'recipient_refused',
  ],
  ['policy at RCPT', { status: 550, enhanced: '5.7.1', stage: 'recipient' }, 'permanent', 'provider_refused'],
  ['a system without mail', { status: 521, enhanced: '5.3.2', stage: 'recipient' }, 'permanent', 'provider_refused'],
  ['a sender refused', { status: 553, stage: 'sender' }, 'permanent', 'provider_refused'],
  ['a bad sender address', { status: 553, enhanced: '5.1.8', stage: 'sender' }, 'permanent', 'provider_refused'],
  ['content refused', { status: 554, enhanced: '5.7.1', stage: 'content' }, 'permanent', 'provider_refused'],
  ['too large', { status: 552, enhanced: '5.3.4', stage: 'content' }, 'permanent', 'provider_refused'],
  ['a bad sequence', { status: 503, stage: 'sender' }, 'transient', 'provider_transient'],
  ['an envelope refused by the client', { code: 'EENVELOPE', stage: 'connect' }, 'poison', 'invalid_recipient'],
  ['larger than SIZE', { code: 'EMESSAGE', stage: 'sender' }, 'permanent', 'provider_refused'],
  ['an answer nobody knows', { status: 299, stage: 'content' }, 'transient', 'provider_transient'],
];

const connecting = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];
const tls = [
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UND_ERR_CONNECT_TIMEOUT',
];
const statuses = (list: readonly number[], wantedClass: string, wantedReason: string): readonly Case[] =>
  list.map((status) => [String(status), { status }, wantedClass, wantedReason]);

const HTTP: readonly Case[] = [
  ['a blocked destination', { code: 'EBLOCKED', stage: 'connect' }, 'permanent', 'blocked_destination'],
  ['a recipient that is no URL', { code: 'ERR_INVALID_URL', stage: 'connect' }, 'poison', 'invalid_recipient'],
  ['no answer', { code: 'ETIMEDOUT' }, 'timeout', 'provider_timeout'],
  ['no answer after the body', { code: 'ETIMEDOUT', stage: 'content' }, 'timeout', 'provider_timeout'],
  ['no headers', { code: 'UND_ERR_HEADERS_TIMEOUT', stage: 'content' }, 'timeout', 'provider_timeout'],
  ['half an answer', { code: 'UND_ERR_BODY_TIMEOUT', stage: 'content' }, 'timeout', 'provider_timeout'],
  ['no connection by the deadline', { code: 'ETIMEDOUT', stage: 'connect' }, 'transient', 'connection_failed'],
  ...[...connecting, ...tls].map(
    (code) => [`${code} before the request`, { code, stage: 'connect' }, 'transient', 'connection_failed'] as const,
  ),
  ...['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'HPE_INVALID_CONSTANT', 'ECONNREFUSED'].map(
    (code) => [`${code} after the request`, { code, stage: 'content' }, 'timeout', 'connection_failed'] as const,
  ),
  ...statuses([429], 'throttled', 'provider_throttled'),
  ['413 with Retry-After', { status: 413, retryAfterMs: 5_000 }, 'throttled', 'provider_throttled'],
  ['503 with Retry-After', { status: 503, retryAfterMs: 0 }, 'throttled', 'provider_throttled'],
  ...statuses([504, 524], 'timeout', 'provider_timeout'),
  ...statuses([401, 407, 408, 409, 421, 423, 425], 'transient', 'provider_transient'),
  ...statuses([500, 502, 503, 507, 511, 520, 529, 599], 'transient', 'provider_transient'),
  ...statuses([300, 302, 303, 304, 307], 'transient', 'provider_transient'),
  ...statuses([404, 410], 'permanent', 'recipient_refused'),
  ...statuses([400, 402, 403, 405, 406, 413, 415, 418, 422, 431, 451, 499], 'permanent', 'provider_refused'),
  ...statuses([301, 308, 501, 505], 'permanent', 'provider_refused'),
  ['an answer nobody knows', { status: 999 }, 'transient', 'provider_transient'],
];

const cases = [
  ...SMTP.map(([t, f, ...j]) => [t, smtp(f), ...j] as const),
  ...HTTP.map(([t, f, ...j]) => [t, http(f), ...j] as const),
];
for (const [title, failure, wantedClass, wantedReason] of cases) {
  test(`${failure.protocol}: ${title} is ${wantedClass}, ${wantedReason}`, (t) => {
    t.deepEqual(classify(failure), { class: wantedClass, reason: wantedReason } as ReturnType<typeof classify>);
  });
}

for (const protocol of ['smtp', 'http'] as const) {
  test(`${protocol}: each row is the first to match some case above`, (t) => {
    const rows = ERROR_TABLES[protocol];
    const hit = new Set(
      cases.filter(([, f]) => f.protocol === protocol).map(([, f]) => rows.find((r) => r.when(f))?.on),
    );
    t.deepEqual(
      rows.map((r) => r.on).filter((on) => !hit.has(on)),
      [],
    );
  });

  test(`${protocol}: docs/channels.md has the table`, (t) => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/channels.md'), 'utf8');
    const rows = ERROR_TABLES[protocol].map((r) => `| ${r.on} | \`${r.class}\` | \`${r.reason}\` | ${r.source} |`);
    t.true(page.includes(`\n${rows.join('\n')}\n| anything else | \`${OTHERWISE.class}\` | \`${OTHERWISE.reason}\` |`));
  });
}

for (const channel of ['simulated', 'smtp', 'webhook']) {
  test(`${channel}: a call given up at its deadline is an unknown outcome`, (t) => {
    t.is(classify(noAnswer(channel, 8_000)).class, 'timeout');
  });
}
