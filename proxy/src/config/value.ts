/**
 * How a raw value (text from pushpin.conf, environment and flags; text, number, boolean or list from YAML) becomes the
 * value of an option, and back.
 *
 * Owns: one schema per option type. Does not own: which options exist (`table.ts`), or where values come from.
 * The only importer of zod in this package.
 */
import { z } from 'zod';
import { legibleValue } from './checks/legible.js';
import type { Option, ValueTypes } from './option.js';
import { parseDuration, parseSize } from './values/amount.js';
import { formatForwardedFor, parseForwardedFor } from './values/forwarded-for.js';
import { formatListen, formatSocketListen, parseListen, parseSocketListen } from './values/listen.js';
import { formatLogLevels, parseLogLevels } from './values/log-level.js';

/** A value that could be read, or why it could not. `clamped`: it was out of range and has been moved into it. */
export type ParsedValue =
  | { readonly ok: true; readonly value: unknown; readonly clamped?: string }
  | { readonly ok: false; readonly why: string };

type Schema = (option: Option) => z.ZodType;

/** Turns text into a value with `parse`; undefined from it is an issue. */
function text<T>(parse: (word: string) => T | undefined) {
  return z.string().transform((word, context): T => {
    const value = parse(word);
    if (value === undefined) context.addIssue('malformed');
    return value as T;
  });
}

function split(line: string, separator: string | RegExp): string[] {
  return line
    .split(separator)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
}

/** Text without control characters: none of these options has a use for them, and headers, paths and lines would break. */
const plain = z.string().refine((word) => !/\p{Cc}/u.test(word));

/**
 * Most of a duration for which an option has no limit of its own: ten years, and in milliseconds what a timer takes.
 *
 * @limit ten years as the longest duration of an option; 2,147,483 s where a timer or the socket library waits
 * @over refused; moved into range in a pushpin.conf
 */
const LONGEST = { s: 315_360_000, ms: 2_147_483_647 } as const;

/** The largest value that an option takes, if there is one. */
function maxOf({ type, unit, max }: Option): number | undefined {
  if (type !== 'duration') return max;
  return max ?? LONGEST[unit === 'ms' ? 'ms' : 's'];
}

/** A list written as one text, as a YAML list, or as a single YAML number. */
function listOf<T>(element: z.ZodType<T, string>, separator: string | RegExp = ',') {
  const pieces = z.union([
    z.string().transform((line) => split(line, separator)),
    z.int().transform((number) => [String(number)]),
    z.array(z.union([z.string(), z.int().transform(String)])),
  ]);
  return pieces.pipe(z.array(element));
}

/** Up to 777, with or without a leading zero. */
function parseMode(word: string): number | undefined {
  return /^0?[0-7]{3}$/.test(word) ? Number.parseInt(word, 8) : undefined;
}

const integer = z.union([
  z.int(),
  z
    .string()
    .trim()
    .regex(/^[+-]?\d{1,15}$/)
    .transform(Number),
]);

const schemas: Record<keyof ValueTypes, Schema> = {
  bool: () =>
    z.union([
      z.boolean(),
      z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] }),
      z.literal([0, 1]).transform((bit) => bit === 1),
    ]),
  int: () => integer,
  string: () => plain,
  secret: () => z.string(),
  path: () => plain,
  // A YAML `true` is the word 'true' to an enum that has it (set_x_forwarded_protocol).
  enum: ({ values = [] }) => z.union([z.string(), z.boolean().transform(String)]).pipe(z.enum([...values])),
  duration: ({ unit }) => z.union([z.number(), text((word) => parseDuration(word, unit === 'ms' ? 'ms' : 's'))]),
  size: () => z.union([z.int(), text(parseSize)]),
  list: () => listOf(plain),
  lines: () => listOf(z.string(), /\r?\n/),
  ports: () => listOf(text(parseListen)),
  sockets: () => listOf(plain.pipe(text(parseSocketListen))),
  'log-levels': () => z.union([z.int().transform(String), z.string()]).pipe(text(parseLogLevels)),
  'forwarded-for': () => text(parseForwardedFor),
  workers: () => z.union([z.literal('auto'), integer]),
  // No YAML numbers: 660 and 0o660 are different ones, and both are meant to be the same mode.
  mode: () => text(parseMode),
};

/** What `--help` shows in angle brackets, and what error lines expect. */
const expectations: Record<keyof ValueTypes, string> = {
  bool: 'true or false',
  int: 'a whole number',
  string: 'a text without control characters',
  secret: 'a text',
  path: 'a path',
  enum: 'a word',
  duration: 'a duration',
  size: 'a number of bytes',
  list: 'a comma-separated list',
  lines: 'a list of routes lines',
  ports: 'a comma-separated list of [addr:]port',
  sockets: 'a comma-separated list of path?mode=&user=&group=',
  'log-levels': 'a level 0-3 or error, warn, info, debug, optionally followed by ,part:level',
  'forwarded-for': 'truncate:N and/or append',
  workers: "a whole number or 'auto'",
  mode: "an octal file mode as text, such as '660'",
};

/** What a value of this option has to be, for error lines and the documentation: `a whole number from 1 to 9`. */
export function expectation(option: Option): string {
  if (option.type === 'enum') return (option.values ?? []).join(', ').replace(/, ([^,]*)$/, ' or $1');
  const unit = option.type === 'duration' ? ` in ${option.unit}` : '';
  const { min } = option;
  const max = maxOf(option);
  const range =
    min !== undefined && max !== undefined
      ? ` from ${min} to ${max}`
      : min !== undefined
        ? `, at least ${min}`
        : max !== undefined
          ? `, at most ${max}`
          : '';
  return expectations[option.type] + unit + range;
}

/** What an option demands of its text beyond its type. */
function refused({ pattern }: Option, value: unknown): ParsedValue | undefined {
  if (pattern === undefined || typeof value !== 'string' || pattern.form.test(value)) return undefined;
  return { ok: false, why: `expected ${pattern.doc}, got ${legibleValue(value)}` };
}

/**
 * Reads one raw value. A number out of range is an error, or with `clamp` the nearest allowed value: a file written for
 * Pushpin must go on working. `why` shows the raw value, except that of a secret.
 */
export function parseValue(option: Option, raw: unknown, { clamp = false } = {}): ParsedValue {
  const shown = option.type === 'secret' ? '' : `, got ${legibleValue(raw)}`;
  const result = schemas[option.type](option).safeParse(raw);
  if (!result.success) return { ok: false, why: `expected ${expectation(option)}${shown}` };
  const value = result.data;
  if (typeof value !== 'number') return refused(option, value) ?? { ok: true, value };
  const allowed = Math.min(Math.max(value, option.min ?? value), maxOf(option) ?? Number.POSITIVE_INFINITY);
  if (allowed === value) return { ok: true, value };
  if (!clamp) return { ok: false, why: `expected ${expectation(option)}${shown}` };
  return { ok: true, value: allowed, clamped: `${value} is out of range, using ${allowed}` };
}

/** The inverse of `parseValue`: the text, number, boolean or list that a Holdfast YAML file would hold. */
export function formatValue(option: Option, value: unknown): unknown {
  switch (option.type) {
    case 'ports':
      return (value as ValueTypes['ports']).map(formatListen);
    case 'sockets':
      return (value as ValueTypes['sockets']).map(formatSocketListen);
    case 'log-levels':
      return formatLogLevels(value as ValueTypes['log-levels']);
    case 'forwarded-for':
      return formatForwardedFor(value as ValueTypes['forwarded-for']);
    case 'mode':
      return (value as number).toString(8).padStart(3, '0');
    default:
      return value;
  }
}
