/** The errors of configuration and routes: their classes, and the table of codes from which docs/errors.md is made. */

import { legible } from './checks/legible.js';

/** Every code of this part with its side and the sentence that docs/errors.md shows. */
export const configErrors = {
  ERR_CONFIG_FILE: {
    side: 'internal',
    meaning:
      'A configuration, secret or included file cannot be read, none was found where one was named, or the log file cannot be written.',
  },
  ERR_CONFIG_SYNTAX: {
    side: 'internal',
    meaning: 'The configuration file is neither valid YAML nor a valid pushpin.conf.',
  },
  ERR_CONFIG_UNKNOWN_KEY: {
    side: 'internal',
    meaning: 'A Holdfast YAML file has a key that does not exist; the nearest one is named.',
  },
  ERR_CONFIG_VALUE: { side: 'internal', meaning: 'A value does not have the type or the range of its option.' },
  ERR_CONFIG_KEY: {
    side: 'internal',
    meaning: 'A key, of an option or of a routes line, cannot be read, or cannot do what it is for.',
  },
  ERR_CONFIG_CONFLICT: { side: 'internal', meaning: 'Two settings exclude each other, or a needed one is missing.' },
  ERR_CONFIG_PUBLIC_CONTROL: {
    side: 'internal',
    meaning: 'The control listener would be reachable from other machines without authentication.',
  },
  ERR_CONFIG_FLAG: {
    side: 'internal',
    meaning: 'The command line has an unknown flag or command, or a flag lacks its value.',
  },
  ERR_CONFIG_ROUTE_LINE: {
    side: 'internal',
    meaning: 'A routes line breaks the grammar or has a bad condition or target.',
  },
  ERR_CONFIG_ROUTES_FILE: { side: 'internal', meaning: 'The routes file cannot be read.' },
} as const satisfies Readonly<Record<string, { readonly side: 'internal'; readonly meaning: string }>>;

/** A stable code of this part. */
export type ConfigErrorCode = keyof typeof configErrors;

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
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly side = 'internal';
  readonly code: ConfigErrorCode;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly [ConfigProblem, ...ConfigProblem[]], options?: { cause?: unknown }) {
    super(problems.map((problem) => legible(problem.message)).join('\n'), options);
    this.code = problems[0].code;
    this.problems = problems;
  }
}

/** A routes line that cannot be used, or a routes file that cannot be read. Other lines are unaffected. */
export class RoutesError extends Error {
  override readonly name = 'RoutesError';
  readonly side = 'internal';
  readonly code: 'ERR_CONFIG_ROUTE_LINE' | 'ERR_CONFIG_ROUTES_FILE' | 'ERR_CONFIG_KEY';
  /** The words alone, without position: Pushpin's, where Pushpin has the check. */
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
    super(legible(place + reason), options.cause === undefined ? {} : { cause: options.cause });
    this.code = options.code ?? 'ERR_CONFIG_ROUTE_LINE';
    this.reason = reason;
    this.line = at.line;
    this.column = at.column;
  }
}
