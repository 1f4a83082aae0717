import type { LogLevel as TemporalLevel, Logger as TemporalLogger } from '@temporalio/common';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { AHEAD_OF_ITS_TASK } from '../contract/failures.js';
import type { LogFormat, LogLevel } from './settings.js';

export type { Logger } from 'pino';

const STDERR = 2;

/** Logs to standard error and synchronously: standard output belongs to answers, and the last line must get out. */
export function createLogger({ level, format }: { level: LogLevel; format: LogFormat }): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (format === 'json') return pino(options, pino.destination({ dest: STDERR, sync: true }));
  return pino(options, pretty({ destination: STDERR, sync: true, colorize: process.stderr.isTTY === true }));
}

/**
 * Lets the SDK log through ours: `Runtime.install({ logger })`. An `error` in the details is written with its stack. A query
 * that is only asked again is no error.
 */
export function temporalLogger(log: Logger): TemporalLogger {
  const write = (level: LogLevel, message: string, meta: object = {}) => {
    const { error, ...rest } = meta as { error?: unknown };
    const isAskedAgain = (error as Error | undefined)?.message === AHEAD_OF_ITS_TASK;
    log[isAskedAgain ? 'debug' : level](error === undefined ? rest : { ...rest, err: error }, message);
  };
  const at =
    (level: LogLevel) =>
    (message: string, meta?: object): void =>
      write(level, message, meta);
  return {
    log: (level: TemporalLevel, message: string, meta?: object) =>
      write(level.toLowerCase() as LogLevel, message, meta),
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
