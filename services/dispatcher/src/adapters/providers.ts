import { readFileSync } from 'node:fs';
import { isRehearsal, rehearsedProvider } from '@volley/contract';
import { DEFAULT_PROVIDERS, findProvider, type Provider, parseProviders } from '@volley/contract/providers';
import type { Channel, Route, Routes } from '../ports.ts';

/** An empty path means the default. Throws one sentence with every error of the file; never a URL or a secret. */
export function readProviders(path: string): readonly Provider[] {
  if (path === '') return DEFAULT_PROVIDERS;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new Error(`VOLLEY_PROVIDERS_FILE cannot be read: ${path}`);
  }
  const parsed = parseProviders(text);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.providers;
}

/** Mail servers take few connections from one sender; a simulated provider takes any number. */
const SMTP_CONCURRENCY = 16;
const WEBHOOK_CONCURRENCY = 64;

export function concurrencyOf(provider: Provider): number {
  if (provider.concurrency !== undefined) return provider.concurrency;
  if (provider.channel === 'smtp') return SMTP_CONCURRENCY;
  return provider.channel === 'webhook' ? WEBHOOK_CONCURRENCY : Number.POSITIVE_INFINITY;
}

const routeOf = (provider: Provider, name: string, channel: Channel): Route => ({
  name,
  kind: provider.channel,
  from: provider.from,
  ratePerSecond: provider.rate_per_second,
  burst: provider.burst,
  concurrency: concurrencyOf(provider),
  channel,
});

/**
 * Opens a channel for each provider with `open`; look-ups are remembered, they happen for each message. In the place of a
 * provider stands, under the name that its rehearsals have, one of `rehearse` with its limits.
 */
export function createRoutes(
  providers: readonly Provider[],
  open: (provider: Provider) => Channel,
  rehearse: (provider: Provider) => Channel,
): Routes {
  const routes = new Map<string, Route>();
  for (const provider of providers) routes.set(provider.name, routeOf(provider, provider.name, open(provider)));
  const found = new Map<string, Map<string, Route | undefined>>();

  function look(channel: string, name: string): Route | undefined {
    const rehearsed = rehearsedProvider(name);
    const provider = findProvider(providers, channel, rehearsed ?? name);
    if (rehearsed === undefined || provider === undefined) return provider && routes.get(provider.name);
    return routeOf(provider, name, rehearse(provider));
  }

  return {
    find(channel, name, tenantId) {
      if (isRehearsal(tenantId) !== (rehearsedProvider(name) !== undefined)) return undefined;
      let ofChannel = found.get(channel);
      if (ofChannel === undefined) {
        ofChannel = new Map();
        found.set(channel, ofChannel);
      }
      if (!ofChannel.has(name)) ofChannel.set(name, look(channel, name));
      return ofChannel.get(name);
    },
  };
}
