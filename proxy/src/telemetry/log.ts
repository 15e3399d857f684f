/** The log: levels per part, the text form that Pushpin users know and the JSON form, and where lines go. The only importer of pino. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '@holdfast/control-api';
import pino, { type DestinationStream, type Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { LogLevel } from '../config/types/values.js';
import { ConfigError } from '../errors.js';
import { oneLine } from '../runtime/legible.js';

const RANK: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };
const LABEL: Record<LogLevel, string> = { error: 'ERR', warn: 'WARN', info: 'INFO', debug: 'DEBUG' };

/**
 * How much of the log may wait for a slow disk or reader, in bytes; lines beyond are dropped.
 *
 * @limit {MiB} of log lines waiting for a slow disk
 * @over lines are dropped
 */
const QUEUE_MAX = 16 * 1024 * 1024;

/**
 * How long the last lines may take to be written before the process leaves without them, in ms.
 *
 * @limit {s} for the last log lines to be written
 * @over the process leaves without them
 */
const CLOSE_MS = 1_000;

interface Destination extends DestinationStream {
  reopen(): void;
  end(): void;
  destroy(): void;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): void;
  once(event: 'ready' | 'close' | 'error', listener: () => void): void;
}

/** Longest write that no other process's write can break up in a pipe, in bytes (PIPE_BUF of Linux). */
const PIPE_BUF = 4_096;

/** The root of all logs of a process. */
export interface RootLog extends Log {
  /** Resolves when the file is open. */
  readonly opened: Promise<void>;
  /** Opens the log file anew: after it was renamed by a log rotation. Without a file nothing happens. */
  reopen(): void;
  /** Writes out what is buffered, as far as that can be done soon, and takes no more: before the process exits. */
  close(): Promise<void>;
  /**
   * Writes a line that tools wait for, such as the one whose message ends in `started`: in the form of all others, but never
   * filtered by level, and on standard output too when the log goes to a file.
   */
  announce(message: string, fields?: object): void;
  /** Writes a line at level info that is one object in JSON and has no message, whatever the form of the others. */
  record(part: string, fields: object): void;
  /** Writes a line as it is, in a form that others have defined. It must have no end of line in it. */
  raw(line: string): void;
}

/**
 * Creates the log of this process as configured. Lines are written in the background; `close` before exiting. A worker
 * writes to the same place as its primary, and its JSON lines say which worker it is. `output` is the descriptor of standard output.
 * @throws ConfigError when the file cannot be written
 */
export function createLog(config: Pick<Config, 'logLevel' | 'logOutput'>, worker?: number, output = 1): RootLog {
  const { file, format } = config.logOutput;
  const { level, parts } = config.logLevel;
  if (file !== undefined) assertWritable(file);
  const shared = worker === undefined ? {} : { maxWrite: PIPE_BUF };
  const dest = { dest: file ?? output, sync: false, maxLength: QUEUE_MAX, ...shared };
  const destination = pino.destination(dest) as unknown as Destination;
  // A full disk costs the log, not the clients.
  destination.on('error', (error) => printLine(2, `holdfast: ${failure(file, error)}\n`));
  const opened = new Promise<void>((resolve) => destination.once('ready', resolve));
  const sink: DestinationStream = { write: (line) => destination.write(line) };
  const levelOf = (part: string): LogLevel => parts[part] ?? level;
  const make =
    format === 'json'
      ? jsonLogs(
          pino(
            {
              level: 'trace',
              base: worker === undefined ? null : { worker },
              timestamp: pino.stdTimeFunctions.isoTime,
              formatters: { level: (level) => ({ level }) },
            },
            sink,
          ),
          levelOf,
        )
      : textLogs(sink, levelOf);
  return Object.assign(make('holdfast'), {
    opened,
    reopen: () => {
      if (file !== undefined) destination.reopen();
    },
    close: () => {
      sink.write = () => {};
      return finish(destination);
    },
    announce: (message: string, fields: object = {}) => {
      const line = format === 'json' ? jsonLine(message, fields) : textLine('info', 'holdfast', message, {});
      sink.write(line);
      if (file !== undefined) printLine(output, line);
    },
    record: (part: string, fields: object) => sink.write(recordLine(part, worker, fields)),
    raw: (line: string) => sink.write(`${line}\n`),
  });
}

/**
 * Ends a destination when all of it is written, when that fails, or after `CLOSE_MS`. Not by the library's own flush at
 * exit: that tries for ever when a disk is full or a pipe has no reader.
 */
async function finish(destination: Destination): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    destination.once('close', resolve);
    destination.once('error', resolve);
    timer = setTimeout(resolve, CLOSE_MS);
    destination.end();
  });
  clearTimeout(timer);
  destination.destroy();
}

/** Finds out before anything starts: later, the library would report it to the event loop only. */
function assertWritable(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    closeSync(openSync(file, 'a'));
  } catch (cause) {
    throw new ConfigError([{ code: 'ERR_CONFIG_FILE', message: failure(file, cause), file }], { cause });
  }
}

function failure(file: string | undefined, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `cannot write the log${file === undefined ? '' : ` to ${file}`}: ${code ?? message}`;
}

/** To standard output or error, either of which may be closed: then nothing waits for the line. */
function printLine(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, line);
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

/** As the library writes it, for a line that goes to two places. */
function jsonLine(msg: string, fields: object): string {
  return `${JSON.stringify({ level: 'info', time: new Date().toISOString(), part: 'holdfast', ...fields, msg })}\n`;
}

/** Control characters beyond ASCII are escaped too, which JSON does not ask for: terminals obey some, and tools break lines. */
function recordLine(part: string, worker: number | undefined, fields: object): string {
  const text = JSON.stringify({ level: 'info', time: new Date().toISOString(), worker, part, ...fields });
  return `${text.replace(/[\u007f-\u009f\u2028\u2029]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function textLogs(sink: DestinationStream, levelOf: (part: string) => LogLevel): MakeLog {
  const make: MakeLog = (part) => {
    const rank = RANK[levelOf(part)];
    const writer = (level: LogLevel) => (fields: object, message: string) => {
      if (RANK[level] <= rank) sink.write(textLine(level, part, message, fields));
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

/**
 * `[LEVEL] date time [part] message key=value …`: what tools that start Pushpin parse. Fields go to warnings and worse, errors
 * to every line that has one.
 */
function textLine(level: LogLevel, part: string, message: string, fields: object): string {
  // What a client or publisher has named must not begin a line of its own.
  const line = oneLine(message + textFields(fields, RANK[level] <= RANK.warn));
  return `[${LABEL[level]}] ${localTime(new Date())} [${part}] ${line}\n`;
}

function textFields(fields: object, all: boolean): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Error) text += ` ${key}=${JSON.stringify(errorText(value))}`;
    else if (all && value !== undefined) text += ` ${key}=${JSON.stringify(value)}`;
  }
  return text;
}

/** Causes of causes that are shown. */
const MAX_CAUSES = 4;

/** What an error says, and what is behind it, each with its code where the text does not have it. */
function errorText(error: Error): string {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error && texts.length < MAX_CAUSES; at = at.cause) {
    const { code } = at as { code?: unknown };
    const isCoded = typeof code === 'string' && !at.message.includes(code);
    texts.push(isCoded ? `${code}: ${at.message}` : at.message);
  }
  return texts.join(': ');
}

const two = (value: number) => (value < 10 ? `0${value}` : `${value}`);

function localTime(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
