import type { Failure } from '../../ports.ts';

/** What nodemailer puts on its errors, as far as it is of use here. */
interface SmtpError {
  readonly message: string;
  readonly code?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

const ENHANCED = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/;

/**
 * From nodemailer's error to facts. `bodyStarted`: some of the mail had been read for sending, so that a connection lost
 * from here on leaves the outcome unknown, which the command on the error (always CONN then) does not tell.
 */
export function failureOf(error: unknown, bodyStarted: boolean): Failure {
  const e = error as SmtpError;
  const enhanced = e.response === undefined ? undefined : ENHANCED.exec(e.response)?.[1];
  const status = typeof e.responseCode === 'number' ? e.responseCode : undefined;
  const stage =
    bodyStarted || e.command === 'DATA'
      ? 'content'
      : e.command === 'RCPT TO'
        ? 'recipient'
        : e.command === 'MAIL FROM'
          ? 'sender'
          : 'connect';
  return {
    protocol: 'smtp',
    stage,
    detail: e.response ?? e.message,
    ...(e.code === undefined ? {} : { code: e.code }),
    ...(status === undefined ? {} : { status }),
    ...(enhanced === undefined ? {} : { enhanced }),
  };
}
