/**
 * A rehearsal is a copy of a campaign that goes all the way to a provider that sends nothing. It belongs to a tenant of its
 * own, which stands in every key, topic and row: whatever is asked of a real tenant knows nothing of it. Its provider has a
 * name that no configured one can have, so a dispatcher that does not know what a rehearsal is finds none, and waits.
 */
const TENANT_SUFFIX = '.rehearsal';
const PROVIDER_PREFIX = 'rehearsal:';

export const rehearsalTenantOf = (tenantId: string): string => `${tenantId}${TENANT_SUFFIX}`;
export const isRehearsal = (tenantId: string): boolean => tenantId.endsWith(TENANT_SUFFIX);

export const rehearsalProviderOf = (provider: string): string => `${PROVIDER_PREFIX}${provider}`;
/** Name of the provider in whose place it stands; undefined: it is a real one. */
export const rehearsedProvider = (provider: string): string | undefined =>
  provider.startsWith(PROVIDER_PREFIX) ? provider.slice(PROVIDER_PREFIX.length) : undefined;
