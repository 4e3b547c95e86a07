import { z } from 'zod';

/**
 * Providers: named entries of VOLLEY_PROVIDERS_FILE (a JSON array). Both ingest-api (which one is there, how fast may
 * fan-out run) and the dispatcher (how to reach it) read the same file. Without a file there is a simulated provider, and one for webhooks to recipients that are URLs.
 */
export const CHANNELS = ['simulated', 'smtp', 'webhook'] as const;
export type Channel = (typeof CHANNELS)[number];

export interface Provider {
  readonly name: string;
  readonly channel: Channel;
  /**
   * smtp://user:pw@host:port; https://… or http://…, or `recipient:` when each recipient is a URL; or
   * `simulated:?min_ms=5&max_ms=15&transient=0.1&permanent=0&seed=volley`.
   */
  readonly url: string;
  readonly from?: string | undefined;
  /** Of a webhook: `whsec_` and the base64 of 24 to 64 bytes; several, separated by spaces, while one replaces another. */
  readonly secret?: string | undefined;
  readonly rate_per_second?: number | undefined;
  /** Messages that may leave at once after a rest; without it a tenth of a second's. */
  readonly burst?: number | undefined;
  /** Calls at the same time. */
  readonly concurrency?: number | undefined;
}

const SCHEMES: Readonly<Record<Channel, RegExp>> = {
  simulated: /^simulated:/,
  smtp: /^smtps?:\/\/[^/]/,
  webhook: /^(https?:\/\/[^/]|recipient:$)/i,
};
const NEEDS: Readonly<Record<Channel, string>> = {
  simulated: 'begins with simulated:',
  smtp: 'begins with smtp:// or smtps://',
  webhook: 'begins with https:// or http://, or is recipient:',
};

/** Standard Webhooks asks for 24 to 64 random bytes. */
const SECRET = /^whsec_[A-Za-z0-9+/]+={0,2}$/;
const secretBytes = (secret: string) => Math.floor((secret.replace(/^whsec_|=+$/g, '').length * 3) / 4);
const isSecret = (secret: string) => SECRET.test(secret) && secretBytes(secret) >= 24 && secretBytes(secret) <= 64;

const provider = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _, at most 63'),
    channel: z.enum(CHANNELS),
    url: z.string().min(1).max(2_048),
    from: z.string().max(320).optional(),
    secret: z.string().max(1_024).optional(),
    rate_per_second: z.number().positive().max(1_000_000).optional(),
    burst: z.number().int().positive().max(1_000_000).optional(),
    concurrency: z.number().int().positive().max(10_000).optional(),
  })
  .superRefine(({ channel, url, secret, rate_per_second, burst }, context) => {
    if (burst !== undefined && rate_per_second === undefined)
      context.addIssue({ code: 'custom', path: ['burst'], message: 'means nothing without rate_per_second' });
    if (!SCHEMES[channel].test(url) || !URL.canParse(url))
      context.addIssue({ code: 'custom', path: ['url'], message: `the url of channel ${channel} ${NEEDS[channel]}` });
    if (channel === 'webhook' && secret !== undefined && !secret.split(' ').every(isSecret))
      context.addIssue({ code: 'custom', path: ['secret'], message: 'whsec_ and the base64 of 24 to 64 bytes' });
  });

/** Webhooks without a file go to recipients that are URLs, and are not signed. */
export const DEFAULT_PROVIDERS: readonly Provider[] = [
  { name: 'simulated', channel: 'simulated', url: 'simulated:' },
  { name: 'webhook', channel: 'webhook', url: 'recipient:' },
];

/** All errors at once, each with its place. Secrets and URLs are never part of a sentence. */
export function parseProviders(
  text: string,
): { ok: true; providers: readonly Provider[] } | { ok: false; errors: string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, errors: ['the providers file is not JSON'] };
  }
  const parsed = z.array(provider).max(1_000).safeParse(json);
  if (!parsed.success)
    return { ok: false, errors: parsed.error.issues.map((i) => `providers/${i.path.join('/')}: ${i.message}`) };
  const names = new Set<string>();
  const twice = parsed.data.filter((p) => names.size === names.add(p.name).size);
  if (twice.length > 0) return { ok: false, errors: twice.map((p) => `providers: the name ${p.name} is there twice`) };
  return { ok: true, providers: parsed.data };
}

/** The named provider of a channel, or the first of the channel when no name is given. */
export function findProvider(providers: readonly Provider[], channel: string, name?: string): Provider | undefined {
  return providers.find((p) => p.channel === channel && (name === undefined || name === '' || p.name === name));
}
