import type { ReplayJob } from '@volley/contract/replays';
import { v7 } from 'uuid';

/** As it is made; `more` changes it. */
export const replayJob = (more: Partial<ReplayJob> = {}): ReplayJob => ({
  replay_id: v7(),
  tenant_id: 'default',
  target: 'analytics',
  status: 'pending',
  phase: '',
  reason: 'a rollup was wrong',
  asked_by: 'key-0a1b2c3d',
  rate_per_second: null,
  options: { allow_gap: false, swap: 'if_equal', send: false },
  ranges: [{ topic: 't.deliveries', partition: 0, from: 3, to: 2 ** 40 }],
  total: 7,
  done: 0,
  progress: null,
  result: null,
  error: null,
  created_at: 1_795_000_000_123,
  started_at: null,
  finished_at: null,
  undo_requested: false,
  ...more,
});
