import { isRehearsal } from '@volley/contract';
import type { Metrics } from '@volley/runtime';
import type { METRICS } from '../metrics.ts';
import type { Watch } from '../ports.ts';

/** What the pipeline reports, as metrics. Label objects are made once: some of these come 20,000 times a second. */
export function createWatch({ m }: Metrics<typeof METRICS>): Watch {
  const attemptLabels = new Map<string, { channel: string; result: string }>();
  const channelLabels = new Map<string, { channel: string }>();
  const kinds = new Map<string, number>();

  return {
    attempt(channel, result, providerMs) {
      const key = `${channel} ${result}`;
      let labels = attemptLabels.get(key);
      if (labels === undefined) {
        labels = { channel, result };
        attemptLabels.set(key, labels);
        channelLabels.set(channel, { channel });
      }
      m.attempts.inc(labels);
      m.providerSeconds.observe(providerMs / 1_000, channelLabels.get(channel));
    },
    recorded(effects) {
      kinds.clear();
      for (const { event } of effects) {
        if (isRehearsal(event.tenant_id)) m.rehearsed.inc({ kind: event.kind });
        else kinds.set(event.kind, (kinds.get(event.kind) ?? 0) + 1);
      }
      for (const [kind, count] of kinds) m.events.inc({ kind }, count);
    },
    kept(effects) {
      for (const { kept, event } of effects) {
        if (event !== undefined && isRehearsal(event.tenant_id)) continue;
        if (kept.as === 'letter') m.deadLetters.inc({ reason: kept.facts.reason });
        else m.moved.inc({ tier: kept.to.name, reason: event?.reason ?? 'kept_back' });
      }
    },
    unattributed: () => m.unattributed.inc(),
    lateAnswer: (accepted) => m.lateAnswers.inc({ accepted: accepted ? 'yes' : 'no' }),
    skippedRepeat: () => m.repeatsSkipped.inc(),
    test: (end) => m.testMessages.inc({ end }),
  };
}
