import { type LoggerOptions, pino } from 'pino';
import { createLogOutput } from './log-output.ts';

const STDOUT = 1;

export type Logger = import('pino').Logger;

/** One JSON line an event on stdout: ISO time, level as a word, credentials redacted at both depths that occur. */
export function createLogger(service: string, level: string): Logger {
  const options: LoggerOptions = {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        'password',
        '*.password',
        'authorization',
        '*.authorization',
        'api_key',
        '*.api_key',
        'secret',
        '*.secret',
        'headers.authorization',
      ],
      censor: '***',
    },
  };
  return pino(options, createLogOutput(STDOUT));
}
