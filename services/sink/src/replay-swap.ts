import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { Comparison } from './core/replay/compare.ts';
import type { Register, Stamp } from './core/replay/register.ts';
import type { TableSet } from './core/replay/tables.ts';
import { FIRST_GENERATION, type Generation } from './core/token.ts';
import { type Fill, ReplayFailed } from './replay-fill.ts';
import type { Hold } from './replay-hold.ts';
import type { Pair, ReplayTables } from './replay-ports.ts';

export interface SwapDeps {
  readonly tables: ReplayTables;
  readonly openHold: () => Promise<Hold>;
  /** The short id of the replay: names of its tickets and registers begin with it. */
  readonly replay: string;
  /** Such a name, never used before: it is of this holding of the job as well. */
  readonly nextName: () => string;
  /** Of the tables that are to be the live ones. */
  readonly target: Generation;
  /** The job is this process's, and nobody else can have it yet. */
  readonly mayWrite: () => boolean;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly failpoints: Failpoints;
  readonly logger: Logger;
}

export interface Steps {
  /** What fills the tables beside; closed before they are exchanged. */
  readonly fill: Fill;
  /** Whether they may be, while nothing moves. */
  readonly decide: (offsets: readonly number[]) => Promise<{ readonly go: boolean; readonly comparison?: Comparison }>;
  /**
   * Both sets hold exactly what lies before these offsets, and the live ones are of this generation: written down before they
   * are exchanged.
   */
  readonly remember: (offsets: readonly number[], before: Generation) => Promise<void>;
}

export interface SwapResult {
  readonly exchanged: boolean;
  readonly comparison?: Comparison;
  readonly offsets: readonly number[];
  /** How long the sinks stood still. */
  readonly heldMs: number;
}

const RETRY_MS = 200;
/** What is left to do when the process is told to stop in the middle. */
const TIDY_MS = 5_000;
/** A sink of another version leads the group, or another replay holds it. */
const HOLD_PATIENCE_MS = 120_000;

export interface Swap {
  /**
   * What a process that died in the middle has left: an exchange that was begun is finished, else the live tables are open
   * again. What such a process has read of a register counts for nothing after this. To be called first by whoever takes a
   * job over that was worked on.
   */
  tidy(signal: AbortSignal): Promise<'nothing made' | 'made' | 'exchanged' | 'leaving'>;
  /** Exchanges the tables beside for the live ones. */
  swap(steps: Steps, signal: AbortSignal): Promise<SwapResult>;
  /** Tables beside take inserts under their own generation, or none. */
  setBeside(state: 'open' | 'closed', signal: AbortSignal, keptUntil?: string): Promise<void>;
  /** They are not there after this, if their raw table is then still what they may be dropped as. */
  dropBeside(signal: AbortSignal, may?: (stamp: Stamp | undefined) => boolean): Promise<void>;
}

/**
 * The tables that a replay made take the place of the live ones, while sinks and readers go on before and after. What keeps
 * a process out that was stopped at any place and wakes up late, is never this process's memory of being the only one:
 * a register or a ticket, whose name it took before it made sure that the job is its own, is gone by then.
 */
export function createSwap(deps: SwapDeps): Swap {
  const { tables, target, clock, failpoints, logger } = deps;

  /** Repeats a step that the store did not confirm; it looks for itself what has come of the last try. */
  async function repeat<T>(what: string, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await step();
      } catch (error) {
        if (error instanceof ReplayFailed) throw error;
        logger.warn({ what, err: (error as Error).message }, 'not acknowledged, trying again');
      }
      await deps.sleep(RETRY_MS, signal);
    }
  }

  async function setsOf(): Promise<{ live: TableSet; beside: TableSet }> {
    const { live, beside } = await tables.look();
    if (beside === undefined) throw new ReplayFailed('the tables of this replay are gone');
    return { live, beside };
  }

  const rawStamp = (set: TableSet): Stamp | undefined => set.stamps.get(set.raw);
  const pairsOf = ({ live, beside }: { live: TableSet; beside: TableSet }): Pair[] =>
    [live.raw, ...live.derived].map((name) => ({ live: name, beside: `${name}${beside.suffix}` }));
  const isThere = (live: TableSet, name: string) => live.stamps.get(name)?.generation === target;

  interface Change {
    readonly state: Register['state'];
    readonly keptUntil?: string | undefined;
  }

  /** The register of a raw table, to what is made of the one that is found. False: nothing is, it is another one by now. */
  async function move(
    which: 'live' | 'beside',
    signal: AbortSignal,
    change: (found: Stamp | undefined) => Change | undefined,
  ): Promise<boolean> {
    const nonce = deps.nextName();
    return repeat(`register of the ${which} tables`, signal, async () => {
      const set = (await setsOf())[which];
      const found = rawStamp(set);
      if (found?.register?.nonce === nonce) return true;
      const to = change(found);
      if (to === undefined) return false;
      needJob();
      const { state, keptUntil } = to;
      const generation = found?.generation ?? FIRST_GENERATION;
      const stamp = { generation, register: { state, nonce }, ...(keptUntil === undefined ? {} : { keptUntil }) };
      await tables.register(set.raw, found, stamp);
      return true;
    });
  }

  /** Whoever has the job after us asks for it later than this was true, and for names later than that. */
  function needJob(): void {
    if (!deps.mayWrite()) throw new Error('the job is not known to be ours');
  }

  const isOpen = (stamp: Stamp | undefined) => (stamp?.register?.state ?? 'open') === 'open';
  /** By this process or one that had the job before. */
  const isClosedByUs = (stamp: Stamp | undefined) =>
    stamp?.register?.state === 'closed' && stamp.register.nonce.startsWith(`${deps.replay}_`);

  const reopen = (signal: AbortSignal) =>
    move('live', signal, (found) => (isClosedByUs(found) ? { state: 'open' } : undefined));

  /** The same states under new names. */
  async function touch(signal: AbortSignal): Promise<void> {
    await move('live', signal, (found) => (isOpen(found) ? { state: 'open' } : undefined));
    await move('beside', signal, (found) =>
      found?.register === undefined ? undefined : { state: found.register.state, keptUntil: found.keptUntil },
    );
  }

  /** Tables that migrations made have no generation yet: without one a half exchanged set could not be told from a whole. */
  const stampLive = (signal: AbortSignal) =>
    repeat('stamps', signal, async () => {
      const { live } = await setsOf();
      const generation = rawStamp(live)?.generation ?? FIRST_GENERATION;
      const open = live.derived.filter((name) => live.stamps.get(name) === undefined);
      if (open.length > 0) needJob();
      for (const name of open) await tables.stamp(name, generation);
    });

  /**
   * Pair by pair what is not exchanged yet. A ticket is made, then it is made sure that the job is ours, then it is used:
   * whoever took the job over meanwhile has dropped it before, and this statement fails, whenever it arrives.
   */
  async function exchange(signal: AbortSignal): Promise<void> {
    const step = async () => {
      await tables.dropTickets();
      const sets = await setsOf();
      const pairs = pairsOf(sets).filter(({ live }) => !isThere(sets.live, live));
      if (pairs.length === 0) return 'done';
      const wrong = pairs.find(({ beside }) => sets.beside.stamps.get(beside)?.generation !== target);
      if (wrong !== undefined) throw new ReplayFailed(`${wrong.beside} is not of generation ${target}`);
      const ticket = deps.nextName();
      await tables.makeTicket(ticket);
      needJob();
      await tables.exchange(ticket, pairs);
      return 'looked at once more';
    };
    while ((await repeat('exchange', signal, step)) !== 'done');
    // What was beside may have been closed.
    await reopen(signal);
  }

  async function hold(signal: AbortSignal): Promise<{ hold: Hold; offsets: readonly number[] }> {
    const opened = await deps.openHold();
    try {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(HOLD_PATIENCE_MS)]);
      return { hold: opened, offsets: await opened.offsets(patience) };
    } catch (error) {
      await opened.release();
      signal.throwIfAborted();
      if ((error as Error).name === 'TimeoutError')
        throw new ReplayFailed('the group of the sinks did not give everything to this process: another one holds it');
      throw error;
    }
  }

  /** Nothing gets into the live raw table any more: closed, nothing on its way, and the sinks stood still after that. */
  async function close(held: Hold, offsets: readonly number[], signal: AbortSignal): Promise<boolean> {
    await stampLive(signal);
    if (!(await move('live', signal, (found) => (isOpen(found) ? { state: 'closed' } : undefined)))) return false;
    const closedAtMs = clock.monotonicMs();
    await failpoints.hit('replay.afterClose');
    await repeat('inserts on their way', signal, async () => {
      const { live } = await setsOf();
      if ((await tables.insertsInto(live.raw)) > 0) throw new Error('an insert is still under way');
    });
    const untilMs = clock.monotonicMs() + HOLD_PATIENCE_MS;
    while (clock.monotonicMs() < untilMs && !signal.aborted) {
      if (held.isHeldSince(closedAtMs, offsets)) return true;
      await deps.sleep(RETRY_MS / 4, signal);
    }
    signal.throwIfAborted();
    return false;
  }

  return {
    async tidy(signal) {
      const sets = await repeat('tickets', signal, async () => {
        await tables.dropTickets();
        return tables.look();
      });
      const { live, beside } = sets;
      if (beside === undefined) return 'nothing made';
      if (rawStamp(beside)?.register?.state === 'leaving') return 'leaving';
      if ([live.raw, ...live.derived].some((name) => isThere(live, name))) {
        await exchange(signal);
        return 'exchanged';
      }
      await reopen(signal);
      await touch(signal);
      return 'made';
    },

    async swap({ fill, decide, remember }, signal) {
      const startedMs = clock.monotonicMs();
      // 1 The sinks stand still, at these offsets. Left behind: a member that is gone after a session.
      const { hold: held, offsets } = await hold(signal);
      let closed = false;
      let begun = false;
      try {
        await failpoints.hit('replay.afterHold');
        const behind = fill.stored().findIndex((offset, p) => offset > (offsets[p] as number));
        if (behind >= 0) throw new ReplayFailed(`partition ${behind} was read further than the sinks have stored it`);
        // 2 The live raw table takes nothing more, from whomever. Left behind: sinks that wait, and plan nothing, until the
        //   next process has tidied up.
        closed = true;
        // 3 No insert is on its way, and the sinks stood still until after 2. Left behind: the same.
        if (!(await close(held, offsets, signal)))
          throw new Error('the sinks went on before the tables were closed: once more');
        await failpoints.hit('replay.afterProof');
        // 4 The tables beside hold exactly what the live ones do. Left behind: the same.
        await fill.upTo(offsets, signal);
        await repeat('ends', signal, () => tables.bringEnds(offsets));
        await fill.close();
        await failpoints.hit('replay.afterFill');
        const { go, comparison } = await decide(offsets);
        if (!go) return { exchanged: false, offsets, heldMs: 0, ...(comparison === undefined ? {} : { comparison }) };
        const { live } = await repeat('tables', signal, setsOf);
        await remember(offsets, rawStamp(live)?.generation ?? FIRST_GENERATION);
        await failpoints.hit('replay.afterDecision');
        // 5 They take each other's names, pair by pair. Left behind: some have, the sinks wait, and the next process goes on.
        begun = true;
        await exchange(signal);
        await failpoints.hit('replay.afterExchange');
        // 6 The sinks have their partitions back, and find open tables of another generation.
        const heldMs = clock.monotonicMs() - startedMs;
        return { exchanged: true, offsets, heldMs, ...(comparison === undefined ? {} : { comparison }) };
      } finally {
        // Also after a signal to stop. When the job is not ours any more, whoever has it tidies up.
        const soon = AbortSignal.timeout(TIDY_MS);
        if (closed && !begun && deps.mayWrite()) await reopen(soon).catch(() => {});
        if (begun && signal.aborted && deps.mayWrite()) await exchange(soon).catch(() => {});
        await held.release();
      }
    },

    async setBeside(state, signal, keptUntil) {
      const isIt = await move('beside', signal, (found) =>
        found?.register?.state === 'leaving' ? undefined : { state, keptUntil },
      );
      if (!isIt) throw new ReplayFailed('the tables of this replay are being dropped');
    },

    async dropBeside(signal, may = () => true) {
      const { beside } = await repeat('tables', signal, () => tables.look());
      const leaving = (found: Stamp | undefined) => (may(found) ? ({ state: 'leaving' } as const) : undefined);
      if (beside !== undefined && !(await move('beside', signal, leaving))) return;
      await repeat('drop', signal, async () => {
        await tables.dropTickets();
        const ticket = deps.nextName();
        await tables.makeTicket(ticket);
        needJob();
        await tables.drop(ticket);
        await tables.dropTickets();
      });
    },
  };
}
