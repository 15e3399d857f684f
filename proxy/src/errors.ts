/** The errors of this package: the classes that carry the codes of the table. */
import { CodedError, type RawHeaders } from '@holdfast/grip';
import { type ErrorRow, proxyErrors } from './error-table.js';
import { legible } from './runtime/legible.js';

/** The rows whose codes begin so. */
type Rows<Prefix extends string> = Pick<typeof proxyErrors, Extract<keyof typeof proxyErrors, `${Prefix}_${string}`>>;

/** The row of an error, if it is one of this package. */
export function errorRow(error: Error): ErrorRow | undefined {
  const rows: Readonly<Partial<Record<string, ErrorRow>>> = proxyErrors;
  return error instanceof CodedError ? rows[error.code] : undefined;
}

/** What a command prints of an error: the text of a foreseen one, which has a code; for a fault of ours, where it is. */
export function userText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? error.message : (error.stack ?? error.message);
}

/** A listener could not be brought up, or a head not be written. The message is one line for the operator. */
export class EdgeError extends CodedError<Rows<'ERR_EDGE'>> {
  constructor(code: keyof Rows<'ERR_EDGE'>, message: string, options?: ErrorOptions) {
    super('EdgeError', proxyErrors, code, message, options);
  }
}

/** A code of {@link RequestError}. */
export type RequestErrorCode = keyof Rows<'ERR_REQUEST'>;

/** What a {@link RequestError} may have beside its code and text. */
interface RequestErrorOptions extends ErrorOptions {
  readonly headers?: RawHeaders;
  readonly advice?: string | undefined;
}

/** A request cannot be served. The message is the text of the answer on a debug route, without the newline. */
export class RequestError extends CodedError<Rows<'ERR_REQUEST'>> {
  /** Fields of the answer beside the usual ones. */
  readonly headers: RawHeaders;
  /** What an operator can do, for the log, where that is more than for all errors of its code. */
  readonly advice: string | undefined;

  constructor(code: RequestErrorCode, message: string, options: RequestErrorOptions = {}) {
    super('RequestError', proxyErrors, code, message, options);
    this.headers = options.headers ?? [];
    this.advice = options.advice;
  }
}

/** A code of {@link OriginError}. */
export type OriginErrorCode = keyof Rows<'ERR_ORIGIN'>;

/** A request to an origin failed. `cause` is the library's or the system's error. */
export class OriginError extends CodedError<Rows<'ERR_ORIGIN'>> {
  /**
   * Whether the same request may be sent again elsewhere: `connect` when nothing of it was sent, `stale` when it went
   * to a kept-alive connection that the origin had closed meanwhile, so that an idempotent one may be repeated
   * (RFC 9112 §9.3.1); `no` otherwise.
   */
  readonly repeat: 'connect' | 'stale' | 'no';

  constructor(code: OriginErrorCode, message: string, repeat: OriginError['repeat'], options?: ErrorOptions) {
    super('OriginError', proxyErrors, code, message, options);
    this.repeat = repeat;
  }
}

/** What is left of a request after a fault of ours. */
export function faultError(cause: unknown): OriginError {
  return new OriginError('ERR_ORIGIN_FAULT', 'Internal error.', 'no', { cause });
}

/** The error of a connection for which the process has no file descriptor to spare. */
export function noDescriptorError(): OriginError {
  return new OriginError('ERR_ORIGIN_CONNECT', 'No file descriptor is left for a connection to an origin.', 'connect');
}

/** The error of a target that must not be connected to. The next target is tried. */
export function blockedError(): OriginError {
  return new OriginError('ERR_ORIGIN_BLOCKED', 'Origin host/IP blocked.', 'connect');
}

/** A code of configuration and routes. */
export type ConfigErrorCode = keyof Rows<'ERR_CONFIG'>;

/** One thing that is wrong, ready to be printed as one line. */
export interface ConfigProblem {
  readonly code: ConfigErrorCode;
  /** `<file>:<line>: <key>: <what is wrong>`, with the parts that are known. Never holds a secret. */
  readonly message: string;
  /** The option's key, where the problem belongs to one. */
  readonly key?: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
}

/**
 * The configuration cannot be used. All problems found are reported together: `message` has one line for each, and
 * `code` is that of the first. Thrown by the loader before anything has been started.
 */
export class ConfigError extends CodedError<Rows<'ERR_CONFIG'>> {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly [ConfigProblem, ...ConfigProblem[]], options?: ErrorOptions) {
    const message = problems.map((problem) => legible(problem.message)).join('\n');
    super('ConfigError', proxyErrors, problems[0].code, message, options);
    this.problems = problems;
  }
}

/** A routes line that cannot be used, or a routes file that cannot be read. Other lines are unaffected. */
export class RoutesError extends CodedError<
  Pick<typeof proxyErrors, 'ERR_CONFIG_ROUTE_LINE' | 'ERR_CONFIG_ROUTES_FILE' | 'ERR_CONFIG_KEY'>
> {
  /** The message without the position: Pushpin's, where Pushpin has the check. */
  readonly reason: string;
  /** 1-based; 0 when the problem is the file as a whole. */
  readonly line: number;
  /** 1-based; 0 when the problem is the line as a whole. */
  readonly column: number;

  constructor(
    reason: string,
    at: { line: number; column: number },
    options: { code?: RoutesError['code']; cause?: unknown } = {},
  ) {
    const place = at.line === 0 ? '' : at.column === 0 ? `line ${at.line}: ` : `line ${at.line}, column ${at.column}: `;
    const { code = 'ERR_CONFIG_ROUTE_LINE', cause } = options;
    super('RoutesError', proxyErrors, code, legible(place + reason), cause === undefined ? {} : { cause });
    this.reason = reason;
    this.line = at.line;
    this.column = at.column;
  }
}

/** `holdfast publish` failed, but for what is an error of ZeroMQ sockets. The message is for the user, without newline. */
export class PublishError extends CodedError<Rows<'ERR_PUBLISH'>> {
  constructor(code: keyof Rows<'ERR_PUBLISH'>, message: string, options?: ErrorOptions) {
    super('PublishError', proxyErrors, code, message, options);
  }
}

/** `holdfast tap` shows nothing more. The message is for the user, without newline. */
export class TapError extends CodedError<Rows<'ERR_TAP'>> {
  constructor(code: keyof Rows<'ERR_TAP'>, message: string, options?: ErrorOptions) {
    super('TapError', proxyErrors, code, message, options);
  }
}

/** `holdfast token` made none. The message is for the user, without newline, and holds no key. */
export class TokenError extends CodedError<Rows<'ERR_TOKEN'>> {
  constructor(code: keyof Rows<'ERR_TOKEN'>, message: string, options?: ErrorOptions) {
    super('TokenError', proxyErrors, code, message, options);
  }
}

/** `holdfast load` has no report. The message is for the user, without newline. */
export class LoadError extends CodedError<Rows<'ERR_LOAD'>> {
  constructor(code: keyof Rows<'ERR_LOAD'>, message: string, options?: ErrorOptions) {
    super('LoadError', proxyErrors, code, message, options);
  }
}

/** A worker could not be brought up. The message is one line for the operator. */
export class WorkerError extends CodedError<Rows<'ERR_WORKER'>> {
  constructor(code: keyof Rows<'ERR_WORKER'>, message: string, options?: ErrorOptions) {
    super('WorkerError', proxyErrors, code, message, options);
  }
}
