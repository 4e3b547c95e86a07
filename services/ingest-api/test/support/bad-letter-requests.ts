import { type Case, invalid } from './bad-input.ts';

/** Of dead letters. */
export const LETTER_CASES: Case[] = [
  {
    title: 'dead letters of a campaign by another name',
    method: 'GET',
    path: '/v1/dlq?campaign=x',
    ...invalid,
    pointer: '?campaign',
  },
  { title: 'dead letters while their index is away', method: 'GET', path: '/v1/dlq', status: 503, code: 'unavailable' },
  { title: 'a redrive while the index is away', path: '/v1/dlq/redrive', body: '{}', status: 503, code: 'unavailable' },
  {
    title: 'a redrive as text',
    path: '/v1/dlq/redrive',
    body: '{}',
    type: 'text/plain',
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    title: 'a purge with a rate',
    path: '/v1/dlq/purge',
    body: '{"rate_per_second":1}',
    ...invalid,
    pointer: '/rate_per_second',
  },
  { title: 'a replay of nothing', path: '/v1/replays', body: '{}', status: 422, code: 'validation_failed' },
  { title: 'a replay', method: 'GET', path: '/v1/replays/x', status: 404, code: 'not_found' },
];
