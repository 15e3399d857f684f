/** What a load run is to do: the flags of `holdfast load`, checked. */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isIP } from 'node:net';
import type { LoadFlags } from '../../config/command-flags.js';
import { readWhole, SECRET_FILE_MAX, whyUnread } from '../../config/files/read-file.js';
import { parseDuration, parseSize } from '../../config/parse-option.js';
import { LoadError } from '../../errors.js';
import { controlOf } from '../destination.js';
import { OwnPorts } from './clients/own-ports.js';
import { type Kind, kinds, type Target } from './clients/transport.js';
import { MAX_NUMBER } from './mark.js';
import type { Control } from './publisher.js';
import { parseRule, type Rule } from './reports/rules.js';

/**
 * Clients of one process.
 *
 * @limit {} clients of one `holdfast load`
 * @over refused
 */
export const MAX_CLIENTS = 1_000_000;

/**
 * Clients opened, or items published, in a second.
 *
 * @limit {} a second: clients opened, items published by one `holdfast load`
 * @over refused
 */
export const MAX_RATE = 100_000;

/**
 * Bytes.
 *
 * @limit {} bytes of an item of `holdfast load`
 * @over refused
 */
export const MAX_SIZE = 1_000_000;

/**
 * Milliseconds for a server to answer a stream or a handshake.
 *
 * @limit {s} for a client of `holdfast load` to be answered
 * @over the connection is closed and counts as failed
 */
const ANSWER_TIMEOUT_MS = 30_000;

/** Longest time that an option takes, in ms. */
const LONGEST_MS = 7 * 86_400_000;

/** A process that is late for `--start-at` by no more than this begins at once, in ms. */
const LATE_MS = 60_000;

/** How a report is printed. */
export const reportForms = ['text', 'json', 'html'] as const;

/** One of {@link reportForms}. */
export type ReportForm = (typeof reportForms)[number];

/** What is to be printed, and what makes a run a failed one. */
export interface Output {
  readonly report: ReportForm;
  readonly rules: readonly Rule[];
}

/** One run. */
export interface Plan extends Output {
  readonly target: Target;
  readonly clients: number;
  /** Clients opened a second. */
  readonly ramp: number;
  /** How long the clients are held once all have been tried, in ms: items are published meanwhile. */
  readonly hold: number;
  /** How long the last items may take, in ms. */
  readonly linger: number;
  /** When to begin, in ms since the Unix epoch; undefined: at once. */
  readonly startAt: number | undefined;
  /** Undefined: another process publishes. */
  readonly publish: Publishing | undefined;
}

/** What is published, and where. */
export interface Publishing {
  readonly control: Control;
  readonly channel: string;
  /** Items a second. */
  readonly rate: number;
  readonly size: number;
}

function wrong(message: string, cause?: unknown): LoadError {
  return new LoadError('ERR_LOAD_ARGUMENT', message, { cause });
}

function urlOf(flag: string, text: string, schemes: readonly string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && schemes.includes(url.protocol)) return url;
  throw wrong(`${flag}: expected a URL of ${schemes.join(' or ')}, got ${JSON.stringify(text)}`);
}

function wholeOf(flag: string, text: string, max: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= max) return Number(text);
  throw wrong(`${flag}: expected a whole number from 1 to ${max}, got ${JSON.stringify(text)}`);
}

/** `200/s`, `90/m`, `200`. */
function rateOf(flag: string, text: string): number {
  const [, number, per = 's'] = /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/.exec(text) ?? [];
  const rate = Number(number) / { s: 1, m: 60, h: 3_600 }[per as 's' | 'm' | 'h'];
  if (rate > 0 && rate <= MAX_RATE) return rate;
  throw wrong(
    `${flag}: expected a rate such as 200/s, 90/m or 5/h, at most ${MAX_RATE}/s, got ${JSON.stringify(text)}`,
  );
}

function timeOf(flag: string, text: string): number {
  const ms = parseDuration(text, 's') ?? -1;
  if (ms >= 0 && ms * 1_000 <= LONGEST_MS) return ms * 1_000;
  throw wrong(`${flag}: expected a time such as 90s, 10m or 2h, at most 168h, got ${JSON.stringify(text)}`);
}

function sizeOf(text: string): number {
  const size = parseSize(text) ?? 0;
  if (size >= 1 && size <= MAX_SIZE) return size;
  throw wrong(`--size: expected 1 to ${MAX_SIZE} bytes, got ${JSON.stringify(text)}`);
}

function oneOf<Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw wrong(`${flag}: expected one of ${words.join(', ')}, got ${JSON.stringify(text)}`);
}

function headerOf(text: string): [name: string, value: string] {
  const at = text.indexOf(':');
  const [name, value] = [text.slice(0, Math.max(at, 0)).trim(), text.slice(at + 1).trim()];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch (cause) {
    throw wrong(`--header: expected "name: value", got ${JSON.stringify(text)}`, cause);
  }
  // A client that sends one twice, or that is none, is refused by the library with an exception.
  if (name.toLowerCase() === 'sec-websocket-protocol' && !/^[\w!#$%&'*+.^`|~-]+$/.test(value))
    throw wrong(`--header: ${name} takes one token, got ${JSON.stringify(value)}`);
  return [name, value];
}

/** ISO 8601, or seconds since the Unix epoch. */
function momentOf(text: string, now: number): number {
  const moment = /^\d{9,11}(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
  if (!Number.isFinite(moment))
    throw wrong(`--start-at: expected a time such as 2027-01-31T12:00:00Z, got ${JSON.stringify(text)}`);
  if (moment < now - LATE_MS || moment > now + LONGEST_MS)
    throw wrong(`--start-at: ${new Date(moment).toISOString()} is past, or more than a week ahead`);
  return moment;
}

/** A WebSocket's own scheme stands for that of its handshake. */
function targetOf(url: string, kind: Kind, flags: LoadFlags): Target {
  const parsed = urlOf('URL', url, ['http:', 'https:', 'ws:', 'wss:']);
  if (parsed.protocol === 'ws:' || parsed.protocol === 'wss:') {
    if (kind !== 'ws') throw wrong(`URL: ${parsed.protocol} is for --kind ws`);
    parsed.protocol = parsed.protocol === 'ws:' ? 'http:' : 'https:';
  }
  parsed.hash = '';
  const addresses = (flags.localAddress ?? '').split(',').flatMap((text) => (text.trim() === '' ? [] : [text.trim()]));
  const unknown = addresses.find((address) => isIP(address) === 0);
  if (unknown !== undefined) throw wrong(`--local-address: ${JSON.stringify(unknown)} is no IP address`);
  if (flags.send !== undefined && kind !== 'ws') throw wrong('--send is for --kind ws');
  const headers = (flags.header ?? []).map(headerOf);
  return { url: parsed, kind, headers, send: flags.send, own: new OwnPorts(addresses), timeout: ANSWER_TIMEOUT_MS };
}

/** `@file` is the content of a file: the command line can be seen by others on this machine. */
function keyOf(text: string): string {
  if (!text.startsWith('@')) return text;
  try {
    return readWhole(text.slice(1), SECRET_FILE_MAX).toString('utf8').trim();
  } catch (cause) {
    throw wrong(`--key: cannot read ${text.slice(1)}: ${whyUnread(cause)}`, cause);
  }
}

function controlFor(text: string, { key, user, bearer }: LoadFlags): Control {
  const url = urlOf('--publish', text, ['http:', 'https:']);
  if (key !== undefined) url.searchParams.set('key', keyOf(key));
  const credentials = { ...(user !== undefined && { user }), ...(bearer !== undefined && { bearer }) };
  let made: ReturnType<Control> | undefined;
  let second = 0;
  return () => {
    const now = Math.floor(Date.now() / 1_000);
    if (made === undefined || now !== second) made = controlOf(url, credentials, now, '/publish/');
    second = now;
    return made;
  };
}

function publishingOf(flags: LoadFlags, hold: number): Publishing | undefined {
  if (flags.publish === undefined) return undefined;
  if (flags.channel === undefined || flags.channel === '') throw wrong('--publish needs --channel');
  const rate = rateOf('--rate', flags.rate);
  if ((rate * hold) / 1_000 > MAX_NUMBER) throw wrong('--rate and --hold: more items than can be counted');
  const control = controlFor(flags.publish, flags);
  // What is wrong with the credentials is said before anything is opened.
  control();
  return { control, channel: flags.channel, rate, size: sizeOf(flags.size) };
}

/**
 * How reports are printed and judged.
 * @throws LoadError ERR_LOAD_ARGUMENT
 */
export function outputOf({ report, fail = [] }: LoadFlags): Output {
  return { report: oneOf('--report', report, reportForms), rules: fail.map(parseRule) };
}

/**
 * Checks the flags of a run. `now` in ms since the Unix epoch.
 * @throws LoadError ERR_LOAD_ARGUMENT, PublishError ERR_PUBLISH_ARGUMENT for credentials that cannot be used
 */
export function planOf(url: string, flags: LoadFlags, now: number): Plan {
  const kind = oneOf('--kind', flags.kind, kinds);
  const hold = timeOf('--hold', flags.hold);
  return {
    ...outputOf(flags),
    target: targetOf(url, kind, flags),
    clients: wholeOf('--clients', flags.clients, MAX_CLIENTS),
    ramp: rateOf('--ramp', flags.ramp),
    hold,
    linger: timeOf('--linger', flags.linger),
    startAt: flags.startAt === undefined ? undefined : momentOf(flags.startAt, now),
    publish: publishingOf(flags, hold),
  };
}
