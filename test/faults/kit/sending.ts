import type { Provider } from '@volley/contract/providers';
import { type HttpSink, startHttpSink } from '../../support/providers/http-sink.ts';
import { type SmtpSink, startSmtpSink } from '../../support/providers/smtp-sink.ts';

/** Delays of the retry tiers of the world `sending`: what takes hours takes seconds. */
export const TIER_DELAYS_MS = [2_000, 2_000, 3_000, 3_000] as const;
/** Attempts in memory: a message that fails twice goes on through the tiers. */
export const MEMORY_ATTEMPTS = 2;
/** One call with everything: longer than a busy machine needs, shorter than anybody wants to wait for a test. */
export const SEND_DEADLINE_MS = 3_000;

/** Providers of the test's own, and how the dispatcher of their world is set. */
export interface Sending {
  /** Webhooks to the provider's own address, and to recipients that are URLs of any host in 127.0.0.0/8. */
  readonly hooks: HttpSink;
  readonly mail: SmtpSink;
  readonly providers: readonly Provider[];
  readonly env: Readonly<Record<string, string>>;
  heal(): void;
  close(): Promise<void>;
}

export async function startSending(): Promise<Sending> {
  const hooks = await startHttpSink({ host: '0.0.0.0' });
  const mail = await startSmtpSink();
  return {
    hooks,
    mail,
    providers: [
      { name: 'flaky', channel: 'simulated', url: 'simulated:?transient=0.1&permanent=0.01' },
      { name: 'hooks', channel: 'webhook', url: hooks.url },
      { name: 'each', channel: 'webhook', url: 'recipient:' },
      { name: 'mail', channel: 'smtp', url: `${mail.url}?ignoreTLS=true`, from: 'volley@example.org' },
    ],
    env: {
      VOLLEY_RETRY_DELAYS_MS: TIER_DELAYS_MS.join(','),
      VOLLEY_MEMORY_ATTEMPTS: String(MEMORY_ATTEMPTS),
      VOLLEY_SEND_DEADLINE_MS: String(SEND_DEADLINE_MS),
      VOLLEY_WEBHOOK_ALLOW: '127.0.0.0/8',
    },
    heal() {
      hooks.setMood({});
      mail.setMood({});
    },
    async close() {
      await Promise.all([hooks.close(), mail.close()]);
    },
  };
}
