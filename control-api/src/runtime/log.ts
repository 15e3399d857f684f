/** The log as this package and the proxy see it, and a silent one. */

/**
 * A structured log: `fields` become fields of the line, `message` is constant text. Calls never throw and never
 * block. On hot paths guard with {@link isDebug}, so that no fields object is built for a line nobody reads.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether debug lines are written at present; may change while the process runs. */
  isDebug(): boolean;
  /** The same log with `part` as a constant field, for one part of the program. */
  child(part: string): Log;
}

/** Writes nothing: for tests and for embedding. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isDebug: () => false,
  child: () => silentLog,
};
