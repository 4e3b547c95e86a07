import type { Trial } from './trial.ts';

export interface Answered {
  readonly what: string;
  /** 0: none. */
  readonly status: number;
  readonly ms: number;
}

const EVERY_MS = 200;

/** Reads of one campaign and new drafts, one after the other, until `stop`; which answers what was said to each. */
export function calling({ p }: Pick<Trial, 'p'>, id: string): { stop(): Promise<readonly Answered[]> } {
  const answers: Answered[] = [];
  let over = false;
  const ask = async (what: string, method: string, path: string, json?: unknown) => {
    const startedMs = performance.now();
    const answer = await p.api
      .call(method, path, { ...(json === undefined ? {} : { json }), timeoutMs: 10_000 })
      .catch(() => ({ status: 0 }));
    answers.push({ what, status: answer.status, ms: performance.now() - startedMs });
  };
  const running = (async () => {
    while (!over) {
      await ask('stats', 'GET', `/v1/campaigns/${id}/stats`);
      await ask('create', 'POST', '/v1/campaigns', { name: 'while away', template: 'x', segment_rule: 'nobody' });
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return {
    async stop() {
      over = true;
      await running;
      return answers;
    },
  };
}
