import type { ErrorClass, Reason } from '@volley/contract';
import { HTTP_ERRORS } from './http-errors.ts';
import { SMTP_ERRORS } from './smtp-errors.ts';

/** What a channel knows of a call that was not accepted. Facts only: what they mean stands in the tables. */
export interface Failure {
  /** Which table judges it: SMTP replies, or HTTP answers (webhook; the simulated provider speaks in them too). */
  readonly protocol: 'smtp' | 'http';
  /** Error code of the client or the socket, such as ECONNECTION, ETIMEDOUT, EDNS. */
  readonly code?: string;
  /** Three digits of the provider's answer. */
  readonly status?: number;
  /** Enhanced status code of an SMTP answer (RFC 3463), such as 5.1.1. */
  readonly enhanced?: string;
  /**
   * How far it got. `connect`: not a byte of the message was sent, so it was not taken. `content`: some of it may have
   * been, so without an answer the outcome is unknown.
   */
  readonly stage?: 'connect' | 'sender' | 'recipient' | 'content';
  readonly retryAfterMs?: number;
  /** The provider's words, or the client's. */
  readonly detail: string;
}

export interface Judgement {
  readonly class: ErrorClass;
  readonly reason: Reason;
}

/** One row of a table; docs/channels.md is generated from `on`, the judgement and `source`. */
export interface ErrorRow extends Judgement {
  /** What it is about, in words. */
  readonly on: string;
  readonly when: (f: Failure) => boolean;
  /** Who says so. */
  readonly source: string;
}

/** First match wins; so the narrow rows stand above the wide ones. */
export const ERROR_TABLES: Readonly<Record<Failure['protocol'], readonly ErrorRow[]>> = {
  smtp: SMTP_ERRORS,
  http: HTTP_ERRORS,
};

/** What no row knows is tried again: a new kind of answer must never refuse a message for good. */
export const OTHERWISE: Judgement = { class: 'transient', reason: 'provider_transient' };

export function classify(failure: Failure): Judgement {
  const row = ERROR_TABLES[failure.protocol].find((r) => r.when(failure));
  return row === undefined ? OTHERWISE : { class: row.class, reason: row.reason };
}

/** A call that was given up at its deadline: the provider may have taken it. */
export const noAnswer = (channel: string, deadlineMs: number): Failure => ({
  protocol: channel === 'smtp' ? 'smtp' : 'http',
  code: 'ETIMEDOUT',
  detail: `no answer within ${deadlineMs} ms`,
});
