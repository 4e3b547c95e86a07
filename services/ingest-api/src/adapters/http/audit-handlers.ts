import type { AuditDesk } from '../../audit-ports.ts';
import { campaignIdOf } from './campaign-handlers.ts';
import { type Handlers, notFound, whileThere } from './operation.ts';
import { HttpProblem } from './problem.ts';

export interface AuditHandlerDeps {
  readonly auditor: AuditDesk;
}

export function auditHandlers(d: AuditHandlerDeps) {
  return {
    campaignAudit: (r) =>
      whileThere(r, async (gone) => {
        const { wait, limit } = r.query as { wait: number; limit: number };
        const found = await d.auditor.campaign(campaignIdOf(r), { waitMs: wait * 1_000, limit }, gone);
        if (found === 'busy') throw new HttpProblem('busy', 'two audits are under way here: try again after them');
        if (found === undefined) throw notFound('campaign that was sent');
        return { status: 200, body: found };
      }),

    getAudit: async () => ({ status: 200, body: await d.auditor.all() }),
  } satisfies Partial<Handlers>;
}
