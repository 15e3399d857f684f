/**
 * Owns: the log: levels per part, the text form that Pushpin users know and the JSON form, and where lines go.
 * Does not own: what is logged. The only importer of pino.
 */
import { writeSync } from 'node:fs';
import type { Log } from '@holdfast/control-api';
import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogConfig } from './config/config.js';
import type { LogLevel } from './config/log-level.js';

const RANK: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };
const LABEL: Record<LogLevel, string> = { error: 'ERR', warn: 'WARN', info: 'INFO', debug: 'DEBUG' };

interface Destination extends DestinationStream {
  reopen(): void;
  flushSync(): void;
  end(): void;
}

/** The root of all logs of a process. */
export interface RootLog extends Log {
  /** Opens the log file anew: after it was renamed by a log rotation. */
  reopen(): void;
  /** Writes out what is buffered, synchronously: before the process exits. */
  flush(): void;
  /**
   * Writes a line that tools wait for, such as the one that ends in `started`: never filtered by level, never JSON, and
   * on standard output too when the log goes to a file.
   */
  announce(message: string): void;
}

/** Creates the log of this process as configured. Lines are written in the background; `flush` before exiting. */
export function createLog(config: LogConfig): RootLog {
  const destination = pino.destination({
    dest: config.file ?? 1,
    sync: false,
    mkdir: true,
  }) as unknown as Destination;
  const levelOf = (part: string): LogLevel => config.parts[part] ?? config.level;
  const make =
    config.format === 'json'
      ? jsonLogs(pino({ level: 'trace', base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination), levelOf)
      : textLogs(destination, levelOf);
  return Object.assign(make('holdfast'), {
    reopen: () => destination.reopen(),
    flush: () => destination.flushSync(),
    announce: (message: string) => {
      const line = config.format === 'json' ? `${message}\n` : textLine('info', 'holdfast', message, {});
      destination.write(line);
      if (config.file !== undefined) printLine(line);
    },
  });
}

/** To standard output, which may be closed when the log goes to a file: nothing then waits for the line. */
function printLine(line: string): void {
  try {
    writeSync(1, line);
  } catch {
    // Nobody reads it.
  }
}

type MakeLog = (part: string) => Log;

function jsonLogs(root: Logger, levelOf: (part: string) => LogLevel): MakeLog {
  const make: MakeLog = (part) => {
    const logger = root.child({ part }, { level: levelOf(part) });
    return {
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      error: (fields, message) => logger.error(fields, message),
      isDebug: () => logger.isLevelEnabled('debug'),
      child: make,
    };
  };
  return make;
}

function textLogs(destination: Destination, levelOf: (part: string) => LogLevel): MakeLog {
  const make: MakeLog = (part) => {
    const rank = RANK[levelOf(part)];
    const writer = (level: LogLevel) => (fields: object, message: string) => {
      if (RANK[level] <= rank) destination.write(textLine(level, part, message, fields));
    };
    return {
      debug: writer('debug'),
      info: writer('info'),
      warn: writer('warn'),
      error: writer('error'),
      isDebug: () => rank >= RANK.debug,
      child: make,
    };
  };
  return make;
}

/** `[LEVEL] date time [part] message key=value …`: what tools that start Pushpin parse. Fields go to warnings and worse. */
function textLine(level: LogLevel, part: string, message: string, fields: object): string {
  const extra = RANK[level] <= RANK.warn ? textFields(fields) : '';
  return `[${LABEL[level]}] ${localTime(new Date())} [${part}] ${message}${extra}\n`;
}

function textFields(fields: object): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    text += ` ${key}=${value instanceof Error ? JSON.stringify(value.message) : JSON.stringify(value)}`;
  }
  return text;
}

const two = (value: number) => (value < 10 ? `0${value}` : `${value}`);

function localTime(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
