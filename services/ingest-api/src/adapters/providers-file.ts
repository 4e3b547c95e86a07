import { readFileSync } from 'node:fs';
import { DEFAULT_PROVIDERS, parseProviders } from '@volley/contract/providers';

/** The providers of VOLLEY_PROVIDERS_FILE; without a file the defaults. All that is wrong with it is told at once. */
export function readProvidersFile(path: string): ReturnType<typeof parseProviders> {
  if (path === '') return { ok: true, providers: DEFAULT_PROVIDERS };
  try {
    return parseProviders(readFileSync(path, 'utf8'));
  } catch {
    return { ok: false, errors: [`VOLLEY_PROVIDERS_FILE cannot be read: ${path}`] };
  }
}
