import type { ProviderListView } from '@volley/contract/http';
import { findProvider, type Provider } from '@volley/contract/providers';
import type { Handlers } from './operation.ts';

export interface ProviderHandlerDeps {
  readonly providers: readonly Provider[];
}

/** Field by field: a url may hold a password, and what is added to the file later is not told by itself. */
export const providerList = (providers: readonly Provider[]): ProviderListView => ({
  data: providers.map((provider) => ({
    name: provider.name,
    channel: provider.channel,
    is_default: findProvider(providers, provider.channel) === provider,
    from: provider.from ?? null,
    rate_per_second: provider.rate_per_second ?? null,
    concurrency: provider.concurrency ?? null,
  })),
});

export function providerHandlers(d: ProviderHandlerDeps) {
  const body = providerList(d.providers);
  return { listProviders: async () => ({ status: 200, body }) } satisfies Partial<Handlers>;
}
