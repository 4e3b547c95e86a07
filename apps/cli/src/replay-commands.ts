import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from './output.ts';
import type { ReplayAction, ReplayOptions } from './replay.ts';

export interface CommandTools {
  positive(value: string): number;
  whole(value: string): number;
  /** Its answer is the exit code. */
  done(work: Promise<number>): Promise<void>;
}

const BACK = /^(\d{1,6})(s|m|h|d)$/;
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const ISO = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** An ISO time (without a zone: this machine's), or a duration back from now: `90s`, `30m`, `2h`, `7d`. */
export function timeFrom(value: string, nowMs: number): string | undefined {
  const [, n, unit] = BACK.exec(value) ?? [];
  const ms =
    unit === undefined ? (ISO.test(value) ? Date.parse(value) : Number.NaN) : nowMs - Number(n) * UNIT_MS[unit as 's'];
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

const time = (value: string): string => {
  const at = timeFrom(value, Date.now());
  if (at === undefined)
    throw new InvalidArgumentError('not an ISO time, nor a duration back such as 90s, 30m, 2h or 7d');
  return at;
};

/** `@file` is what stands in the file. */
async function withTemplate(o: ReplayOptions): Promise<ReplayOptions> {
  if (!o.template?.startsWith('@')) return o;
  const path = o.template.slice(1);
  const template = await readFile(path, 'utf8').catch(() => {
    throw new CliError(`there is no file ${path}`, 2);
  });
  return { ...o, template };
}

/** `volley replay …` as commands; what they do stands in replay.ts, loaded when it is asked for. */
export function replayCommands(program: Command, { positive, whole, done }: CommandTools): void {
  // Without --json of its own: it would take that of its commands.
  const replay = program
    .command('replay')
    .description('a part of the log again: statistics rebuilt, deliveries compared, a campaign rehearsed');
  const command = (name: string, description: string) =>
    replay
      .command(name)
      .description(description)
      .option('--json', 'one JSON document on stdout, progress on stderr', false);

  const job = (of: Command) =>
    of
      .option('--rate <per second>', 'at most so many', positive)
      .option('--dry-run', 'count and change nothing', false)
      .option('--why <text>', 'kept with the replay')
      .option('--detach', 'do not wait for the end', false);
  const ofLog = (of: Command) =>
    job(of)
      .option('--from <time>', 'what the log took then or later: an ISO time, or a duration back such as 2h', time)
      .option('--to <time>', 'and before this time', time)
      .option('--allow-gap', 'also where the log starts after that', false);

  ofLog(command('analytics', 'rebuild the statistics beside the live ones, compare, and swap if they are equal'))
    .option('--campaign <id>', 'of this campaign only: compared, never swapped')
    .addOption(
      new Option('--swap <when>', 'default: if-equal for the whole log').choices(['if-equal', 'never', 'always']),
    )
    .action(async (o) => done((await import('./replay.ts')).run('analytics', o)));
  ofLog(command('deliveries', 'render and decide the messages of a campaign again, and compare; nothing is sent'))
    .requiredOption('--campaign <id>')
    .option('--template <text>', 'compare with this Liquid text, or @file')
    .option('--subject <text>', 'and with this subject')
    .option('--send', 'then send what is failed, dead or expired again', false)
    .option('--confirm', 'really', false)
    .action(async (o) => done((await import('./replay.ts')).run('deliveries', await withTemplate(o))));
  job(command('rehearsal', 'a campaign at full size against a provider that does nothing, outside the statistics'))
    .requiredOption('--campaign <id>')
    .action(async (o) => done((await import('./replay.ts')).run('rehearsal', o)));

  command('list', 'replays, newest first')
    .option('--limit <n>', 'at most so many', whole, 20)
    .action(async (o) => done((await import('./replay.ts')).list(o)));
  command('show', 'one replay, and what it found')
    .argument('<replay>')
    .action(async (id, o) => done((await import('./replay.ts')).show(id, o.json)));
  const actions: readonly [ReplayAction, string][] = [
    ['undo', 'take the swap of an analytics replay back'],
    ['pause', 'stop it for now'],
    ['resume', 'go on after a pause'],
    ['cancel', 'end it, and remove what it has built'],
  ];
  for (const [action, description] of actions)
    command(action, description)
      .argument('<replay>')
      .option('--detach', 'do not wait until it is so', false)
      .action(async (id, o) => done((await import('./replay.ts')).act(action, id, o)));
}
