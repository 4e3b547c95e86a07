import type { ByteBudget } from './byte-budget.ts';
import type { Engine, InsertResult } from './engine.ts';
import type { Gate } from './gate.ts';
import type { InsertFiles } from './insert-files.ts';
import type { RunningQueries } from './running-queries.ts';
import type { Sessions } from './sessions.ts';
import type { Twins } from './twins.ts';

/** What all requests share. */
export interface Front {
  engine: Engine;
  running: RunningQueries;
  sessions: Sessions;
  gates: Gates;
  twins: Twins<InsertResult>;
  files: InsertFiles;
  /** Whole answers that were not taken yet. */
  answers: ByteBudget;
  trimmer: { large(): void };
  log: (line: string) => void;
}

/** Who waits for whom: rows of an INSERT never for a rebuild or an OPTIMIZE, and neither for readers. */
export interface Gates {
  readers: Gate;
  /** Questions for what runs. They come through when readers have taken all their places. */
  processes: Gate;
  /** Inserts that bring their rows. */
  inserts: Gate;
  /** DDL, mutations, INSERT … SELECT. */
  statements: Gate;
}

export const clientIsGone = 'The client has closed the connection.';
