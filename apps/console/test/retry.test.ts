import type { ProblemView } from '@volley/contract/http';
import test from 'ava';
import { ApiProblem, Unreachable } from '../src/api/client.ts';
import { mayRetry, retryDelayMs, waitMsAfter } from '../src/api/retry.ts';

const problem = (status: number, retryAfter?: number) =>
  new ApiProblem(
    {
      type: 'x',
      title: 'x',
      status,
      code: status === 429 ? 'busy' : 'unavailable',
      detail: '',
      request_id: '',
    } as ProblemView,
    retryAfter,
  );

test('what is away for a moment is asked for again, twice; a refusal and a long wait are told at once', (t) => {
  t.true(mayRetry(0, problem(503)));
  t.true(mayRetry(1, problem(429, 5)));
  t.false(mayRetry(2, problem(503)));
  t.false(mayRetry(0, problem(404)));
  t.false(mayRetry(0, problem(503, 3_600)));
  t.false(mayRetry(0, new Unreachable('x')));
});

test('the wait is what the API has said, and never shorter than ours', (t) => {
  t.is(retryDelayMs(0, problem(503)), 1_000);
  t.is(retryDelayMs(1, problem(503)), 2_000);
  t.is(retryDelayMs(0, problem(429, 5)), 5_000);
  t.is(waitMsAfter(problem(429, 5), 500), 5_000);
  t.is(waitMsAfter(problem(503, 1), 4_000), 4_000);
  t.is(waitMsAfter(problem(503, 3_600), 500), 30_000);
  t.is(waitMsAfter(new Error('x'), 500), 500);
});
