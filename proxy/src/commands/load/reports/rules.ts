/** `--fail`: what makes a run a failed one. */
import { parseDuration } from '../../../config/parse-option.js';
import { LoadError } from '../../../errors.js';
import { type Histogram, quantile } from '../histogram.js';
import { type Report, totalOf } from './report.js';

type Compare = '>' | '>=' | '<' | '<=' | '==' | '!=';

/** One rule: the run has failed if it holds. */
export interface Rule {
  /** As it was given. */
  readonly text: string;
  readonly compare: Compare;
  readonly limit: number;
  /** Undefined where the run has nothing to judge by, such as times without a delivery: then it has failed too. */
  readonly read: (report: Report) => number | undefined;
}

/** A rule that made the run fail. */
export interface Failure {
  readonly rule: string;
  /** Null where there was nothing to judge by. */
  readonly value: number | null;
}

const comparisons: Readonly<Record<Compare, (value: number, limit: number) => boolean>> = {
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '==': (value, limit) => value === limit,
  '!=': (value, limit) => value !== limit,
};

/** Undefined where nothing is known of what should have come. */
const ofItems = (read: (report: Report) => number) => (report: Report) =>
  report.items.seen ? read(report) : undefined;

const counts: Readonly<Record<string, Rule['read']>> = {
  lost: ofItems(({ delivery }) => delivery.lost),
  doubled: ofItems(({ delivery }) => delivery.doubled),
  disordered: ofItems(({ delivery }) => delivery.disordered),
  received: ({ delivery }) => delivery.received,
  published: ({ items }) => items.published,
  unpublished: ({ items }) => items.unpublished,
  held: ({ clients }) => clients.held,
  open: ({ clients }) => clients.open,
  refused: ({ clients }) => clients.refused,
  reconnected: ({ clients }) => clients.reconnected,
  failed: ({ failed }) => totalOf(failed),
  dropped: ({ dropped }) => totalOf(dropped),
};

const times: Readonly<Record<string, (report: Report) => Histogram>> = {
  delivery: ({ latency }) => latency,
  opening: ({ opening }) => opening,
  acceptance: ({ items }) => items.acceptance,
};

const FORM = /^\s*([a-z]+(?:\.[a-z0-9.]+)?|p\d[\d.]*)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*$/;

/** `p99`, `max`, `opening.p99`: in ms. */
function timeOf(name: string): Rule['read'] | undefined {
  const [, of = 'delivery', share] = /^(?:([a-z]+)\.)?(p\d{1,2}(?:\.\d{1,4})?|max)$/.exec(name) ?? [];
  const histogram = Object.hasOwn(times, of) ? times[of] : undefined;
  if (share === undefined || histogram === undefined) return undefined;
  const part = share === 'max' ? 1 : Number(share.slice(1)) / 100;
  return (report) => {
    const us = quantile(histogram(report), part);
    return us === undefined ? undefined : us / 1_000;
  };
}

/** What a name means, and how its limit is written. */
function readerOf(
  name: string,
): { readonly read: Rule['read']; readonly parse: (text: string) => number | undefined } | undefined {
  const number = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined);
  const duration = (text: string) => parseDuration(text, 'ms');
  if (Object.hasOwn(counts, name)) return { read: counts[name] as Rule['read'], parse: number };
  if (name === 'cpu') {
    const read = ({ machines }: Report) => Math.max(...machines.map(({ cpuMost }) => cpuMost)) * 100;
    return { read, parse: (text) => number(text.replace(/%$/, '')) };
  }
  if (name === 'lag')
    return { read: ({ machines }) => Math.max(...machines.map(({ lagP99 }) => lagP99)), parse: duration };
  const read = timeOf(name);
  return read && { read, parse: duration };
}

/**
 * Reads a rule such as `p99>250ms` or `lost>0`.
 * @throws LoadError ERR_LOAD_ARGUMENT
 */
export function parseRule(text: string): Rule {
  const [, name = '', compare, value = ''] = FORM.exec(text) ?? [];
  const known = readerOf(name);
  if (compare === undefined || known === undefined) {
    const names = [
      'p50 … p99.9, max',
      ...Object.keys(times).map((of) => `${of}.p99`),
      ...Object.keys(counts),
      'cpu',
      'lag',
    ];
    throw new LoadError(
      'ERR_LOAD_ARGUMENT',
      `--fail: expected a rule such as 'p99>250ms' of ${names.join(', ')}, got ${JSON.stringify(text)}`,
    );
  }
  const limit = known.parse(value);
  if (limit === undefined) throw new LoadError('ERR_LOAD_ARGUMENT', `--fail: ${text}: ${value} is no value of ${name}`);
  return { text: text.trim(), compare: compare as Compare, limit, read: known.read };
}

/** The rules that hold of a report, or that nothing is known for. */
export function failuresOf(report: Report, rules: readonly Rule[]): Failure[] {
  return rules.flatMap(({ text, compare, limit, read }) => {
    const value = read(report);
    if (value !== undefined && !comparisons[compare](value, limit)) return [];
    return [{ rule: text, value: value ?? null }];
  });
}
