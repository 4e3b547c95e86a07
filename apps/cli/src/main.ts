import { StackError } from '@volley/local-stack';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { loadOptions } from './load-options.ts';
import { CliError, printer, printJson } from './output.ts';
import { replayCommands } from './replay-commands.ts';

/** The `volley` command line: parses, calls one function a command, maps its answer to 0 done, 1 failed, 2 wrong usage. */
const positive = (value: string): number => {
  const n = Number(value);
  if (!Number.isFinite(n) || n <= 0) throw new InvalidArgumentError('not a number above 0');
  return n;
};
const whole = (value: string): number => {
  const n = positive(value);
  if (!Number.isSafeInteger(n) || n > 10_000_000) throw new InvalidArgumentError('not a whole number up to 10,000,000');
  return n;
};

const seconds = (value: string): number => {
  const n = Number(value);
  if (!Number.isSafeInteger(n) || n < 0 || n > 120) throw new InvalidArgumentError('not a whole number from 0 to 120');
  return n;
};

let exitCode = 0;
const done = async (work: number | Promise<number>) => {
  exitCode = await work;
};

const program = new Command('volley')
  .description('Campaign delivery that can prove what it did.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });
const command = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .option('--json', 'one JSON document on stdout, progress on stderr', false);

command('up', 'start the stack and the services; stays until Ctrl-C').action(async (o) =>
  done((await import('./up.ts')).up(o)),
);

command('demo', 'send a campaign through everything and print the report')
  .option('--once', 'stop everything when the campaign has completed', false)
  .option('--recipients <n>', 'generated people instead of the sample contacts', whole)
  .addOption(
    new Option('--channel <channel>', 'smtp starts a local mail sink')
      .choices(['simulated', 'smtp'])
      .default('simulated'),
  )
  .action(async (o) => done((await import('./demo.ts')).demo(o)));

command('send', 'import an audience and send a campaign to it')
  .requiredOption('--audience <file>', 'CSV or NDJSON file')
  .requiredOption('--template <text>', 'Liquid text, or @file')
  .option('--name <name>')
  .option('--segment <rule>', 'only those of the file who also match this rule, such as vip,tw')
  .addOption(new Option('--channel <channel>').choices(['simulated', 'smtp', 'webhook']))
  .option('--subject <text>')
  .option('--from <address>')
  .option('--rate <per second>', 'limit of this campaign', positive)
  .option('--wait', 'wait for the end and print the report', false)
  .action(async (o) => done((await import('./send.ts')).send(o)));

command('status', 'campaigns, or one of them with its states and percentiles')
  .argument('[campaign]')
  .action(async (id, o) => done((await import('./status.ts')).status(id, o.json)));

command('topics', 'topics with their size and the lag of their reader').action(async (o) =>
  done((await import('./topics.ts')).topics(o.json)),
);

command('verify', 'compare what was accepted, counted and stored; 1: a difference, by id, or it could not be found out')
  .argument('[campaign]', 'all campaigns that were sent, and the log, without one')
  .option('--wait <seconds>', 'at most so long for events that are on their way', seconds, 30)
  .option('--limit <n>', 'ids of each difference', whole, 20)
  .option('--campaigns <n>', 'without a campaign: the newest ones, at most', whole, 100)
  .action(async (id, o) => done((await import('./verify.ts')).verify(id, o)));

replayCommands(program, { positive, whole, done });

// Without --json of its own: it would take that of its commands.
const dlq = program.command('dlq').description('dead letters: what failed, why, and sending it again');
const letters = (name: string, description: string) =>
  dlq.command(name).description(description).option('--json', 'one JSON document on stdout, progress on stderr', false);
const selection = (of: Command) =>
  of
    .option('--campaign <id>', 'of this campaign only')
    .option('--reason <code>', 'with this reason only, see docs/reasons.md')
    .addOption(new Option('--kind <kind>', 'failed: refused for good; dead: given up').choices(['failed', 'dead']))
    .option('--recipient <address>', 'to this recipient only')
    .option('--limit <n>', 'at most so many', whole);
const job = (of: Command) =>
  selection(of)
    .option('--message <id...>', 'these messages only')
    .option('--note <text>', 'why: kept with the job')
    .option('--dry-run', 'count and change nothing', false)
    .option('--yes', 'do not ask', false)
    .option('--detach', 'do not wait for the end', false);
selection(letters('list', 'messages that stand failed or dead, newest first'))
  .option('--unattributed', 'letters that name no message, from the topic itself', false)
  .action(async (o) => done((await import('./dlq.ts')).list(o)));
letters('show', 'the dead letter of one message')
  .argument('<message>')
  .action(async (id, o) => done((await import('./dlq.ts')).show(id, o.json)));
job(letters('redrive', 'send again, under their own ids: counts, asks, waits'))
  .option('--rate <per second>', 'messages written in a second', positive)
  .action(async (o) => done((await import('./dlq.ts')).run('redrive', o)));
job(letters('purge', 'take out of the list for good: counts, asks, waits')).action(async (o) =>
  done((await import('./dlq.ts')).run('purge', o)),
);
letters('jobs', 'redrives and purges, or one of them')
  .argument('[job]')
  .option('--cancel', 'stop it; what it has done stays done', false)
  .action(async (id, o) => done((await import('./dlq.ts')).jobs(id, o)));

loadOptions(
  command(
    'load',
    'load at a constant rate, measured from the intended times; 1: an objective was missed, 3: no verdict',
  ),
  whole,
  positive,
).action(async (o) => done((await import('./load.ts')).load(o)));

command('doctor', 'what a start needs, and what of a running stack is not well').action(async (o) =>
  done((await import('./doctor.ts')).doctor(o.json)),
);

command('reset', 'empty .volley/data')
  .option('--yes', 'do not ask', false)
  .action(async (o) => done((await import('./reset.ts')).reset(o.yes, o.json)));

command('setup', 'create topics, schemas and tables at the addresses of the environment').action(async (o) =>
  done((await import('./setup-command.ts')).setupCommand(o.json)),
);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    exitCode = error instanceof CliError ? error.exitCode : 1;
    const known = error instanceof CliError || error instanceof StackError;
    process.stderr.write(`volley: ${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
    if (process.argv.includes('--json')) printJson({ error: (error as Error).message });
    else if (!known) printer(true)('volley: this is a bug; the lines above say where');
  }
}
process.exit(exitCode);
