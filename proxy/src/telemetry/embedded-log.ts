/** The log of a node whose program takes the lines itself. */
import type { Config } from '../config/config.js';
import type { LogLevel } from '../config/types/values.js';
import type { RootLog } from './log.js';

/**
 * Where the lines of an embedded node go; a logger of pino is one. `fields.part` is the part of Holdfast that says it. What a
 * method throws is dropped.
 */
export type NodeLog = Readonly<Record<LogLevel, (fields: object, message: string) => void>>;

const levels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** The log of a node that writes to `log` what `log_level` lets through. */
export function embeddedLog(log: NodeLog, { level, parts }: Config['logLevel']): RootLog {
  const write = (at: LogLevel, fields: object, message: string) => {
    try {
      log[at](fields, message);
    } catch {
      // A log that fails costs its lines, not the clients.
    }
  };
  const child = (part: string): ReturnType<RootLog['child']> => {
    const rank = levels.indexOf(parts[part] ?? level);
    const writer = (at: LogLevel) => (fields: object, message: string) => {
      if (levels.indexOf(at) <= rank) write(at, { part, ...fields }, message);
    };
    return {
      error: writer('error'),
      warn: writer('warn'),
      info: writer('info'),
      debug: writer('debug'),
      isDebug: () => rank >= levels.indexOf('debug'),
      child,
    };
  };
  return Object.assign(child('holdfast'), {
    opened: Promise.resolve(),
    reopen: () => {},
    close: async () => {},
    announce: (message: string, fields: object = {}) => write('info', { part: 'holdfast', ...fields }, message),
    record: (part: string, fields: object) => write('info', { part, ...fields }, ''),
    raw: (line: string) => write('info', { part: 'proxy' }, line),
  });
}
