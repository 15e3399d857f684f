/**
 * How a raw value (text from pushpin.conf, environment and flags; text, number, boolean or list from YAML) becomes the
 * value of an option, and back: one schema per option type. The only importer of valibot in this package.
 */
import * as v from 'valibot';
import { legibleValue } from '../runtime/legible.js';
import type { Option, OptionTypes } from './option.js';
import { accessFields, formatRedacted, parseAccessField, parseRedacted } from './types/access-log.js';
import { isAddressRange } from './types/address-ranges.js';
import { formatListen, formatSocketListen, parseListen, parseSocketListen } from './types/listen.js';
import { formatForwardedFor, formatLogLevels, parseForwardedFor, parseLogLevels } from './types/values.js';

/** A value that could be read, or why it could not. `clamped`: it was out of range and has been moved into it. */
export type ParsedOption =
  | { readonly ok: true; readonly value: unknown; readonly clamped?: string }
  | { readonly ok: false; readonly why: string };

type Schema = (option: Option) => v.GenericSchema<unknown, unknown>;

/** Turns text into a value with `parse`; undefined from it is an issue. */
function text<T>(parse: (word: string) => T | undefined) {
  const read = v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
    const value = parse(dataset.value);
    if (value !== undefined) return value;
    addIssue();
    return NEVER;
  });
  return v.pipe(v.string(), read);
}

function split(line: string, separator: string | RegExp): string[] {
  return line
    .split(separator)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '');
}

/** Text without control characters: none of these options has a use for them, and headers, paths and lines would break. */
const plain = v.pipe(
  v.string(),
  v.check((word) => !/\p{Cc}/u.test(word)),
);

const whole = v.pipe(v.number(), v.safeInteger());
const number = v.pipe(v.number(), v.finite());
const wholeAsText = v.pipe(whole, v.transform(String));

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

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const bytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** `90` (in `unit`), `90s`, `500ms`, `2m`, `1h` ⇒ a number in `unit`; undefined when malformed. */
export function parseDuration(text: string, unit: 's' | 'ms'): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) return undefined;
  const given = (match[2] ?? unit) as keyof typeof milliseconds;
  return (Number(match[1]) * milliseconds[given]) / milliseconds[unit];
}

/** `8192`, `64KiB`, `1MB` ⇒ whole bytes; undefined when malformed or not whole. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)?$/.exec(text.trim());
  const factor = bytes[match?.[2] ?? 'B'];
  if (match === null || factor === undefined) return undefined;
  const size = Number(match[1]) * factor;
  return Number.isSafeInteger(size) ? size : undefined;
}

/** A list written as one text, as a YAML list, or as a single YAML number. */
function listOf<T>(element: v.GenericSchema<string, T>, separator: string | RegExp = ',') {
  const pieces = v.union([
    v.pipe(
      v.string(),
      v.transform((line) => split(line, separator)),
    ),
    v.pipe(
      wholeAsText,
      v.transform((word) => [word]),
    ),
    v.array(v.union([v.string(), wholeAsText])),
  ]);
  return v.pipe(pieces, v.array(element));
}

/** Up to 777, with or without a leading zero. */
function parseMode(word: string): number | undefined {
  return /^0?[0-7]{3}$/.test(word) ? Number.parseInt(word, 8) : undefined;
}

/** `80%` or `80`. */
function parsePercent(word: string): number | undefined {
  const digits = /^(\d{1,3}(?:\.\d+)?) ?%?$/.exec(word.trim())?.[1];
  return digits === undefined || Number(digits) > 100 ? undefined : Number(digits);
}

const integer = v.union([whole, v.pipe(v.string(), v.trim(), v.regex(/^[+-]?\d{1,15}$/), v.transform(Number))]);

const words = { true: true, 1: true, false: false, 0: false } as const;
const yesOrNo = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', '1', 'false', '0']),
  v.transform((word) => words[word]),
);

const schemas: Record<keyof OptionTypes, Schema> = {
  bool: () =>
    v.union([
      v.boolean(),
      yesOrNo,
      v.pipe(
        v.picklist([0, 1]),
        v.transform((bit) => bit === 1),
      ),
    ]),
  int: () => integer,
  limit: () => integer,
  string: () => plain,
  secret: () => v.string(),
  path: () => plain,
  // A YAML `true` or 1.2 is the word 'true' or '1.2' to an enum that has it (set_x_forwarded_protocol, tls_min_version).
  enum: ({ values = [] }) => {
    const word = v.union([v.string(), v.pipe(v.union([v.boolean(), number]), v.transform(String))]);
    return v.pipe(word, v.picklist(values));
  },
  duration: ({ unit }) => v.union([number, text((word) => parseDuration(word, unit === 'ms' ? 'ms' : 's'))]),
  size: () => v.union([whole, text(parseSize)]),
  list: () => listOf(plain),
  percent: () => v.union([v.pipe(number, v.minValue(0), v.maxValue(100)), text(parsePercent)]),
  lines: () => listOf(v.string(), /\r?\n/),
  addresses: () => listOf(v.pipe(plain, v.check(isAddressRange))),
  ports: () => listOf(text(parseListen)),
  sockets: () => listOf(v.pipe(plain, text(parseSocketListen))),
  'log-fields': () => listOf(text(parseAccessField)),
  'log-redact': () => listOf(text(parseRedacted)),
  'log-levels': () => v.pipe(v.union([wholeAsText, v.string()]), text(parseLogLevels)),
  'forwarded-for': () => text(parseForwardedFor),
  workers: () => v.union([v.literal('auto'), integer]),
  // No YAML numbers: 660 and 0o660 are different ones, and both are meant to be the same mode.
  mode: () => text(parseMode),
};

/** What `--help` shows in angle brackets, and what error lines expect. */
const expectations: Record<keyof OptionTypes, string> = {
  bool: 'true or false',
  int: 'a whole number',
  limit: 'a whole number',
  string: 'a text without control characters',
  secret: 'a text',
  path: 'a path',
  enum: 'a word',
  duration: 'a duration',
  size: 'a number of bytes',
  list: 'a comma-separated list',
  percent: 'a percentage from 0 to 100',
  lines: 'a list of routes lines',
  addresses: 'a comma-separated list of IP addresses, CIDR ranges and unix',
  ports: 'a comma-separated list of [addr:]port[?proxy_protocol=v1|v2|v1v2&from=ADDRESS]',
  sockets: 'a comma-separated list of path?mode=&user=&group=&proxy_protocol=',
  'log-fields': `a comma-separated list of ${accessFields.join(', ')} and header:NAME`,
  'log-redact': 'a comma-separated list of names of header fields and query:NAME',
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
function refused({ pattern }: Option, value: unknown): ParsedOption | undefined {
  if (pattern === undefined || typeof value !== 'string' || pattern.form.test(value)) return undefined;
  return { ok: false, why: `expected ${pattern.doc}, got ${legibleValue(value)}` };
}

/**
 * Reads one raw value. A number out of range is an error, or with `clamp` the nearest allowed value: a file written for
 * Pushpin must go on working. `why` shows the raw value, except that of a secret.
 */
export function parseOption(option: Option, raw: unknown, { clamp = false } = {}): ParsedOption {
  const shown = option.type === 'secret' ? '' : `, got ${legibleValue(raw)}`;
  const result = v.safeParse(schemas[option.type](option), raw);
  if (!result.success) return { ok: false, why: `expected ${expectation(option)}${shown}` };
  const value = result.output;
  if (typeof value !== 'number') return refused(option, value) ?? { ok: true, value };
  const allowed = Math.min(Math.max(value, option.min ?? value), maxOf(option) ?? Number.POSITIVE_INFINITY);
  if (allowed === value) return { ok: true, value: fromWritten(option, value) };
  if (!clamp) return { ok: false, why: `expected ${expectation(option)}${shown}` };
  const clamped = `${value} is out of range, using ${allowed}`;
  return { ok: true, value: fromWritten(option, allowed), clamped };
}

/** A number as it is written becomes one in ms, or without a limit. */
function fromWritten({ type, unit }: Option, number: number): number {
  if (type === 'limit') return number > 0 ? number : Number.POSITIVE_INFINITY;
  if (type === 'percent') return number / 100;
  return type === 'duration' && unit === 's' ? Math.round(number * 1000) : number;
}

/** The inverse of `fromWritten`. */
function toWritten({ type, unit }: Option, number: number): number {
  if (type === 'limit') return Number.isFinite(number) ? number : -1;
  if (type === 'percent') return number * 100;
  return type === 'duration' && unit === 's' ? number / 1000 : number;
}

/** The inverse of `parseOption`: the text, number, boolean or list that a Holdfast YAML file would hold. */
export function formatOption(option: Option, value: unknown): unknown {
  switch (option.type) {
    case 'ports':
      return (value as OptionTypes['ports']).map(formatListen);
    case 'sockets':
      return (value as OptionTypes['sockets']).map(formatSocketListen);
    case 'log-levels':
      return formatLogLevels(value as OptionTypes['log-levels']);
    case 'log-redact':
      return (value as OptionTypes['log-redact']).map(formatRedacted);
    case 'forwarded-for':
      return formatForwardedFor(value as OptionTypes['forwarded-for']);
    case 'mode':
      return (value as number).toString(8).padStart(3, '0');
    default:
      return typeof value === 'number' ? toWritten(option, value) : value;
  }
}
