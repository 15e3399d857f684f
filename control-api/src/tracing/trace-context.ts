/**
 * W3C Trace Context: the header fields `traceparent` and `tracestate` (https://www.w3.org/TR/trace-context/), which come from clients
 * and publishers and are believed in nothing but their form.
 */
import { randomBytes } from 'node:crypto';

/** Where in a trace something belongs. */
export interface TraceContext {
  /** 32 hexadecimal digits in lower case, not all 0. */
  readonly traceId: string;
  /** 16 of them, not all 0: the span that what follows is a child of. */
  readonly spanId: string;
  /** Bits: {@link SAMPLED} and {@link RANDOM}; no others. */
  readonly flags: number;
  /** What tracing systems add for themselves: a valid `tracestate`, empty for none. */
  readonly state: string;
}

/** The trace is recorded by those before. */
export const SAMPLED = 1;

/** The trace id is random in its second half (Level 2). */
export const RANDOM = 2;

/** Version, trace id, parent id, flags (§3.2.2), and what a later version has behind them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;

/** Characters of a `traceparent` of version 00. */
const VERSION_00_LENGTH = 55;

/**
 * Reads a `traceparent`, without a state; undefined for one that is malformed. Of versions later than 00 the part is read that all
 * versions have (§3.2.4): it may be followed by more, after a hyphen.
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  const match = TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = ''] = match;
  if (version === 'ff' || (version === '00' && text.length !== VERSION_00_LENGTH)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & (SAMPLED | RANDOM), state: '' };
}

/** The `traceparent` of a context, in version 00. */
export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-0${flags & (SAMPLED | RANDOM)}`;
}

/**
 * Most entries of a `tracestate` (§3.3.1.1).
 *
 * @limit {} entries of a tracestate
 * @over it is dropped; the trace goes on
 */
export const STATE_ENTRIES = 32;

/**
 * Longest `tracestate` that is passed on, in characters: what the specification (§3.3.1.5) has everybody pass on at least.
 *
 * @limit {} characters of a tracestate
 * @over its long entries are left out, then its last ones
 */
export const STATE_CHARS = 512;

/** Characters of the longest entry that can be valid, with its comma. */
const ENTRY_CHARS = 256 + 1 + 256 + 1;

/** Entries longer than this are left out first (§3.3.1.5). */
const LONG_ENTRY = 128;

/** A key, with a tenant before `@` or without, and a value (§3.3.1.3, with digits at the beginning as in Level 2). */
const ENTRY =
  /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** The `tracestate` of a field, or of several in their order joined by commas, as it is passed on: empty where it is malformed. */
export function readTracestate(text: string): string {
  // What can only be invalid is not even split.
  if (text === '' || text.length > STATE_ENTRIES * ENTRY_CHARS) return '';
  const entries: string[] = [];
  const keys = new Set<string>();
  for (const part of text.split(',')) {
    const entry = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (entry === '') continue;
    if (!ENTRY.test(entry) || entries.length === STATE_ENTRIES) return '';
    const key = entry.slice(0, entry.indexOf('='));
    if (!keys.has(key)) entries.push(entry);
    keys.add(key);
  }
  return shortened(entries).join(',');
}

function shortened(entries: readonly string[]): readonly string[] {
  const fits = (list: readonly string[]) => list.reduce((sum, { length }) => sum + length + 1, -1) <= STATE_CHARS;
  if (fits(entries)) return entries;
  const kept = entries.filter(({ length }) => length <= LONG_ENTRY);
  while (!fits(kept)) kept.pop();
  return kept;
}

/**
 * The context that header fields say, given the values of all `traceparent` and all `tracestate` fields; undefined where there is
 * none: without a valid `traceparent`, or with two of them, which leave it open what they mean (§3.2).
 */
export function readTraceContext(parents: readonly string[], states: readonly string[]): TraceContext | undefined {
  const [parent, ...others] = parents;
  const context = parent === undefined || others.length > 0 ? undefined : parseTraceparent(parent);
  if (context === undefined || states.length === 0) return context;
  return { ...context, state: readTracestate(states.join(',')) };
}

/** The beginning of a new trace. */
export function newTraceContext(isSampled: boolean): TraceContext {
  return {
    traceId: randomId(16),
    spanId: randomId(8),
    flags: isSampled ? SAMPLED | RANDOM : RANDOM,
    state: '',
  };
}

function randomId(bytes: number): string {
  const id = randomBytes(bytes).toString('hex');
  // One in 2^64 is no id.
  return /^0+$/.test(id) ? randomId(bytes) : id;
}
