export { type AdminServer, type ReadinessCheck, startAdminServer } from './admin-server.ts';
export { backoffMs, sleep } from './backoff.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  type Env,
  printableSettings,
  readSettings,
  redactUrl,
  type Setting,
  type Settings,
  type SettingsTable,
  setting,
  settingsOrExit,
} from './config.ts';
export { createFailpoints, FailpointError, type Failpoints } from './failpoints.ts';
export { giveBackIdleMemory } from './idle-memory.ts';
export { createLifecycle, type Lifecycle, type Part } from './lifecycle.ts';
export { createLogger, type Logger } from './logger.ts';
export { createMetrics, type MetricCatalogue, type MetricHandle, type MetricSpec, type Metrics } from './metrics.ts';
