export { assignByNumber } from './assignment.ts';
export { createConsumerLoop } from './consumer-loop.ts';
export type {
  ConsumerLoop,
  ConsumerLoopOptions,
  LoopHandler,
  PartitionLag,
  SettledRange,
  TrackedRecord,
} from './loop.ts';
export type { OffsetTracker } from './offsets.ts';
export { createOffsetTracker } from './offsets.ts';
export type * from './port.ts';
export { GroupInUse, RecordRefused, StreamUnavailable, TopicMissing } from './port.ts';
