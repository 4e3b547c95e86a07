import { EventEmitter } from 'node:events';
import test from 'ava';
import { auditHandlers } from '../../../src/adapters/http/audit-handlers.ts';
import type { Request } from '../../../src/adapters/http/operation.ts';

test('an audit whose client goes away is told so, and answers nobody', async (t) => {
  const res = new EventEmitter();
  const ctx = { res, respond: true };
  let told: AbortSignal | undefined;
  const { campaignAudit } = auditHandlers({
    auditor: {
      campaign: (_id, _how, gone) =>
        new Promise((_, reject) => {
          told = gone;
          gone?.addEventListener('abort', () => reject(gone.reason));
        }),
      all: async () => t.fail() as never,
    },
  });
  const id = '01a1fdc2-e2c6-780b-84ec-2fe500000000';
  const answer = campaignAudit({ id, ctx, query: { wait: 5, limit: 20 } } as unknown as Request);
  t.false(told?.aborted);
  res.emit('close');
  t.is(await answer, undefined);
  t.true(told?.aborted);
  t.false(ctx.respond);
});
