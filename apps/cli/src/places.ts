import { join } from 'node:path';

/** The clone's folders. VOLLEY_HOME moves what is written (data, logs, cache), never the code. */
export const repository = join(import.meta.dirname, '..', '..', '..');
export const home = process.env.VOLLEY_HOME ?? join(repository, '.volley');
export const dataDir = join(home, 'data');
export const logDir = join(home, 'logs');
export const cacheDir = join(home, 'cache');
export const samplesDir = join(repository, 'samples');
