/** What a load run found, as it is written in JSON; and what several machines found together. */
import { LoadError } from '../../../errors.js';
import type { Kind } from '../clients/transport.js';
import { addUp, type Histogram, quantile } from '../histogram.js';
import { type MachineUse, ownLimits } from '../machine.js';
import type { Received } from '../tally.js';
import { type Timeline, together } from './timeline.js';

/** Names the form; another one is not read. */
export const REPORT_FORM = 'holdfast-load/1';

/** Of one run: by one process, or by several together. */
export interface Report {
  readonly form: typeof REPORT_FORM;
  readonly url: string;
  readonly kind: Kind;
  /** Of the items; null if none was seen. */
  readonly run: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly clients: {
    readonly wanted: number;
    /** Held at least once. */
    readonly held: number;
    /** Held when the run was over. */
    readonly open: number;
    /** That the server does not want, and that did not come again. */
    readonly refused: number;
    readonly reconnected: number;
  };
  /** Attempts that led to no held connection, by reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** Held connections that ended before the run did, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** From when a client was due to when it was held. */
  readonly opening: Histogram;
  readonly items: {
    readonly published: number;
    readonly unpublished: number;
    /** Whether any process saw an item or published one: otherwise nothing is known of what was lost. */
    readonly seen: boolean;
    /** Of other runs. */
    readonly foreign: number;
    /** From when an item was due to when the control API had accepted it. */
    readonly acceptance: Histogram;
  };
  readonly delivery: Received;
  /** From when an item was due to when a client had it; of items received for the first time that were due to it. */
  readonly latency: Histogram;
  readonly timeline: Timeline;
  readonly machines: readonly MachineUse[];
  readonly warnings: readonly string[];
}

/** The shares that reports show. */
export const shares = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, 'p99.9': 0.999, max: 1 } as const;

/** In ms, to the µs; null of an empty histogram. */
export function percentiles(histogram: Histogram): Readonly<Record<keyof typeof shares, number | null>> {
  const rows = Object.entries(shares).map(([name, share]) => {
    const us = quantile(histogram, share);
    return [name, us === undefined ? null : us / 1_000];
  });
  return Object.fromEntries(rows);
}

/** The total of counts by reason. */
export const totalOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** What this process shows of itself goes before what is known of the run. */
export function warningsOf(
  { failed, machines, items, clients, delivery }: Omit<Report, 'warnings'>,
  isOver = true,
): string[] {
  return [
    ...new Set(machines.flatMap((use) => ownLimits(use, failed))),
    ...(isOver && clients.held > 0 && !items.seen
      ? ['no item of a load run was received: nothing is known of losses']
      : []),
    ...(items.unpublished > 0
      ? [`${items.unpublished} items were not accepted by the control API: nobody is owed them`]
      : []),
    ...(delivery.forgotten > 0
      ? [`${delivery.forgotten} holes were too old to be remembered: late items in them count as doubled`]
      : []),
  ];
}

function addCounts<Key extends string>(parts: readonly Readonly<Record<Key, number>>[]): Record<Key, number> {
  const sums: Partial<Record<Key, number>> = {};
  for (const part of parts)
    for (const [key, count] of Object.entries(part) as [Key, number][])
      if (typeof count === 'number') sums[key] = (sums[key] ?? 0) + count;
  return sums as Record<Key, number>;
}

/** What a process that never saw an item must have lost, where another one published some. */
function unseen(reports: readonly Report[]): number {
  const published = Math.max(...reports.map(({ items }) => items.published));
  return reports.reduce((sum, { items, clients }) => sum + (items.seen ? 0 : published * clients.held), 0);
}

/**
 * One report of several processes of the same run.
 * @throws LoadError ERR_LOAD_REPORT when they are not of the same run
 */
export function mergeReports(reports: readonly [Report, ...Report[]]): Report {
  const [first] = reports;
  const runs = new Set(reports.map(({ run }) => run).filter((run) => run !== null));
  const same = (read: (report: Report) => unknown) => reports.every((report) => read(report) === read(first));
  if (runs.size > 1)
    throw new LoadError('ERR_LOAD_REPORT', `--merge: these are different runs: ${[...runs].join(', ')}`);
  if (!same(({ kind }) => kind)) throw new LoadError('ERR_LOAD_REPORT', '--merge: the clients are of different kinds');
  const begin = Math.min(...reports.map(({ startedAt }) => Date.parse(startedAt)));
  const end = Math.max(...reports.map(({ startedAt, seconds }) => Date.parse(startedAt) + seconds * 1_000));
  const delivery = addCounts(reports.map((report) => ({ ...report.delivery })));
  const seen = reports.some(({ items }) => items.seen);
  const { published, unpublished, foreign } = addCounts(
    reports.map(({ items }) => ({
      published: items.published,
      unpublished: items.unpublished,
      foreign: items.foreign,
    })),
  );
  const merged = {
    form: REPORT_FORM,
    url: same(({ url }) => url) ? first.url : [...new Set(reports.map(({ url }) => url))].join(' '),
    kind: first.kind,
    run: [...runs][0] ?? null,
    startedAt: new Date(begin).toISOString(),
    seconds: (end - begin) / 1_000,
    clients: addCounts(reports.map(({ clients }) => ({ ...clients }))),
    failed: addCounts(reports.map(({ failed }) => failed)),
    dropped: addCounts(reports.map(({ dropped }) => dropped)),
    opening: addUp(reports.map(({ opening }) => opening)),
    items: {
      published,
      unpublished,
      foreign,
      seen,
      acceptance: addUp(reports.map(({ items }) => items.acceptance)),
    },
    delivery: { ...delivery, lost: delivery.lost + (seen ? unseen(reports) : 0) },
    latency: addUp(reports.map(({ latency }) => latency)),
    timeline: together(reports.map(({ timeline }) => timeline)),
    machines: reports.flatMap(({ machines }) => machines),
  } as const;
  const known = reports.flatMap(({ warnings }) => warnings).filter((text) => !text.startsWith('no item of a load run'));
  return { ...merged, warnings: [...new Set([...known, ...warningsOf(merged)])] };
}
