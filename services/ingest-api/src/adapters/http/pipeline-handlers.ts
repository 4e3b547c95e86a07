import type { Overview } from '../../overview-ports.ts';
import type { Handlers } from './operation.ts';
import { HttpProblem } from './problem.ts';

export interface PipelineHandlerDeps {
  readonly overview: Overview;
}

export function pipelineHandlers(d: PipelineHandlerDeps) {
  return {
    getPipeline: async () => {
      const view = await d.overview();
      if (view === undefined) throw new HttpProblem('unavailable', 'neither the log nor the control store answers');
      return { status: 200, body: view };
    },
  } satisfies Partial<Handlers>;
}
