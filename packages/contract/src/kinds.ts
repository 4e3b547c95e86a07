import type { DeliveryEvent } from './records.generated.ts';

export type DeliveryKind = DeliveryEvent['kind'];
export type TerminalKind = 'sent' | 'failed' | 'dead' | 'suppressed' | 'cancelled' | 'expired';

/** A message ends in exactly one of these; what follows under the same (message id, run) is a repeat. */
export const TERMINAL_KINDS: readonly TerminalKind[] = ['sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired'];
const terminal: ReadonlySet<string> = new Set(TERMINAL_KINDS);
export const isTerminal = (kind: string): kind is TerminalKind => terminal.has(kind);

export type CampaignStatus =
  | 'draft'
  | 'running'
  | 'paused'
  | 'cancelling'
  | 'completed'
  | 'completed_with_failures'
  | 'cancelled'
  | 'failed';

export const CAMPAIGN_STATUSES: readonly CampaignStatus[] = [
  'draft',
  'running',
  'paused',
  'cancelling',
  'completed',
  'completed_with_failures',
  'cancelled',
  'failed',
];
const ended: ReadonlySet<string> = new Set(['completed', 'completed_with_failures', 'cancelled', 'failed']);
export const isEnded = (status: string): boolean => ended.has(status);
