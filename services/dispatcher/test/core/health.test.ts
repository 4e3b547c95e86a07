import test from 'ava';
import { classify, type Failure } from '../../src/core/classify.ts';
import { type Health, healthOf } from '../../src/core/health.ts';

const CASES: [title: string, failure: Omit<Failure, 'detail'>, wanted: Health][] = [
  ['no connection', { protocol: 'http', code: 'ECONNREFUSED', stage: 'connect' }, 'silent'],
  ['a connection lost after the request', { protocol: 'http', code: 'ECONNRESET', stage: 'content' }, 'silent'],
  ['no answer in time', { protocol: 'http', code: 'ETIMEDOUT' }, 'silent'],
  ['a server that errs', { protocol: 'http', status: 500 }, 'erring'],
  ['a gateway without its server', { protocol: 'http', status: 502 }, 'erring'],
  ['503 without a time', { protocol: 'http', status: 503 }, 'erring'],
  ['503 with Retry-After', { protocol: 'http', status: 503, retryAfterMs: 1_000 }, 'throttled'],
  ['429', { protocol: 'http', status: 429 }, 'throttled'],
  ['a refusal', { protocol: 'http', status: 404 }, 'answered'],
  ['a request at fault', { protocol: 'http', status: 400 }, 'answered'],
  ['an address that is not called', { protocol: 'http', code: 'EBLOCKED', stage: 'connect' }, 'none'],
  ['greylisting is about the message', { protocol: 'smtp', status: 450, stage: 'recipient' }, 'answered'],
  ['a mail server that closes', { protocol: 'smtp', status: 421, stage: 'recipient' }, 'erring'],
  ['a recipient refused', { protocol: 'smtp', status: 550, stage: 'recipient' }, 'answered'],
  ['a mail refused', { protocol: 'smtp', status: 554, stage: 'content' }, 'answered'],
  ['a mail server that is not there', { protocol: 'smtp', code: 'ECONNECTION', stage: 'connect' }, 'silent'],
  ['an envelope that was never sent', { protocol: 'smtp', code: 'EENVELOPE' }, 'none'],
];
for (const [title, failure, wanted] of CASES) {
  test(`${title}: ${wanted}`, (t) => {
    const full = { ...failure, detail: '' };
    t.is(healthOf(full, classify(full)), wanted);
  });
}
