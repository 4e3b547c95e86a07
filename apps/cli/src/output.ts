import cliProgress from 'cli-progress';

/**
 * A failure that a person can act on: one sentence, exit code 1 (2 for wrong usage, 3 where nothing could be found out).
 * Never a stack. `status`: of the API's answer, if there was one.
 */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: 1 | 2 | 3;
  readonly status: number | undefined;
  constructor(message: string, exitCode: 1 | 2 | 3 = 1, status?: number) {
    super(message);
    this.exitCode = exitCode;
    this.status = status;
  }
}

/** Progress goes to stderr when stdout belongs to `--json`. */
export function printer(json: boolean): (line: string) => void {
  const stream = json ? process.stderr : process.stdout;
  return (line) => void stream.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export interface Progress {
  readonly rate: number;
  readonly leftS: number | null;
  /** Of what `rate` counts; default msg. */
  readonly unit?: string;
  /** What it is at. */
  readonly phase?: string;
}

export interface ProgressBar {
  update(done: number, extra: Progress): void;
  stop(): void;
}

/** A bar when a person watches; otherwise a line every five seconds, so that a log shows life and not ten thousand bars. */
export function progressBar(total: number, stream: NodeJS.WriteStream): ProgressBar {
  const text = ({ rate, leftS, unit = 'msg', phase = '' }: Progress) =>
    `${Math.round(rate)} ${unit}/s${leftS === null ? '' : `, ${leftS} s left`}${phase === '' ? '' : `, ${phase}`}`;
  if (!stream.isTTY) {
    let lastMs = 0;
    return {
      update(done, progress) {
        if (performance.now() - lastMs < 5_000) return;
        lastMs = performance.now();
        stream.write(`  ${done} of ${total} (${text(progress)})\n`);
      },
      stop() {},
    };
  }
  const bar = new cliProgress.SingleBar(
    { format: '  {bar} {percentage}% | {value} of {total} | {note}', stream, hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0, { note: '' });
  return { update: (done, progress) => bar.update(done, { note: text(progress) }), stop: () => bar.stop() };
}
