import { rehearsalProviderOf, rehearsalTenantOf } from '@volley/contract';
import { type Campaign, type CampaignCommand, decide, fold, type StoredFact } from './core/campaign.ts';
import { fail, ok, type Result } from './core/result.ts';
import { parseSegment } from './core/segment.ts';
import { spreadFor } from './core/window.ts';
import type { CampaignCommands, CampaignStore, CampaignTransaction } from './ports.ts';
import type { RehearsalCampaigns } from './rehearsal-ports.ts';

/**
 * A rehearsal is a real campaign: a copy with the texts and the audience of another one, of a tenant of its own and for a
 * provider that sends nothing. It goes through relay, fan-out, dispatchers, progress and sink as any other.
 */
export function createRehearsalCampaigns(d: {
  readonly store: CampaignStore;
  readonly commands: Pick<CampaignCommands, 'command'>;
  readonly partitions: number;
  readonly forgetAudience: (campaignId: string) => Promise<void>;
  now(): number;
  newEventId(): string;
  /** Something was committed that the relay should look at. */
  committed(): void;
}): RehearsalCampaigns {
  async function append(
    tx: CampaignTransaction,
    campaignId: string,
    state: Campaign | undefined,
    command: CampaignCommand,
  ): Promise<Result<Campaign>> {
    const decided = decide(state, command);
    if (!decided.ok) return decided;
    const version = (state?.version ?? 0) + 1;
    const named = { event_id: d.newEventId(), campaign_id: campaignId, version };
    const stored: StoredFact = { ...named, occurred_at: d.now(), fact: decided.value };
    const next = fold(state, stored);
    return (await tx.append(stored, next)) === 'conflict'
      ? fail({ code: 'conflict', detail: 'the rehearsal is being made by somebody else' })
      : ok(next);
  }

  return {
    async launch(rehearsalId, source, ratePerSecond) {
      const tenant_id = rehearsalTenantOf(source.tenant_id);
      const known = await d.store.find(tenant_id, rehearsalId);
      if (known) return ok(known);
      const segment = parseSegment(source.segment_rule);
      if (!segment.ok) return segment;
      const content = { ...copyOf(source), ...(ratePerSecond === null ? {} : { rate_per_second: ratePerSecond }) };
      const result = await d.store.transaction<Result<Campaign>>(async (tx) => {
        const created = await append(tx, rehearsalId, undefined, { type: 'create', tenant_id, content });
        if (!created.ok) return { undo: created };
        const expected = await tx.freezeAs(created.value, source, segment.value);
        if (expected === 'conflict') return { undo: fail({ code: 'conflict', detail: 'it was changed meanwhile' }) };
        const { partitions } = d;
        const sent = { type: 'send', expected, spread: spreadFor(expected, partitions), partitions } as const;
        const launched = await append(tx, rehearsalId, created.value, sent);
        return launched.ok ? { commit: launched } : { undo: launched };
      });
      if (result.ok) d.committed();
      return result;
    },
    find: d.store.find,
    async command(rehearsalId, name) {
      await d.commands.command(rehearsalId, name);
    },
    forgetAudience: d.forgetAudience,
  };
}

/** As it would be sent today: what its deadline was, or will be, says nothing about its texts and its audience. */
const copyOf = (c: Campaign) => ({
  name: c.name,
  template: c.template,
  subject: c.subject,
  from: c.from,
  reply_to: c.reply_to,
  content_type: c.content_type,
  channel: c.channel,
  provider: rehearsalProviderOf(c.provider),
  segment_rule: c.segment_rule,
  lane: c.lane,
  rate_per_second: c.rate_per_second,
  max_attempts: c.max_attempts,
  expires_at: null,
});
