import type { Family } from '../kit/scenario.ts';
import { ANALYTICS_LOG } from './analytics-log.ts';
import { BROKERS } from './brokers.ts';
import { CLICKHOUSE } from './clickhouse.ts';
import { CLOCKS } from './clocks.ts';
import { COMMANDS } from './commands.ts';
import { DESCRIPTORS } from './descriptors.ts';
import { ONE_OF_MANY } from './destinations.ts';
import { DISPATCHER } from './dispatcher.ts';
import { ENGINE } from './engine.ts';
import { LOG } from './log.ts';
import { OUT_OF_MEMORY } from './out-of-memory.ts';
import { POISON_RECORDS } from './poison.ts';
import { PROVIDERS } from './providers.ts';
import { RANDOM_KILL } from './random-kill.ts';
import { RELAY } from './relay.ts';
import { REPLAY } from './replay.ts';
import { SHUTDOWN } from './shutdown.ts';
import { SINK } from './sink.ts';
import { SMALL_DISK } from './small-disk.ts';
import { STORES } from './stores.ts';
import { TIERS } from './tiers.ts';
import { UNDER_LOAD } from './under-load.ts';

/** Every scenario there is: what `npm run faults` runs, and in this order. */
export const FAMILIES: readonly Family[] = [
  RELAY,
  SHUTDOWN,
  STORES,
  ENGINE,
  DISPATCHER,
  CLOCKS,
  OUT_OF_MEMORY,
  RANDOM_KILL,
  TIERS,
  COMMANDS,
  PROVIDERS,
  ONE_OF_MANY,
  DESCRIPTORS,
  POISON_RECORDS,
  LOG,
  BROKERS,
  SMALL_DISK,
  REPLAY,
  SINK,
  CLICKHOUSE,
  ANALYTICS_LOG,
  UNDER_LOAD,
];
