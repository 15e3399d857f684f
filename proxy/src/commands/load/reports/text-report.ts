/** A report for people: lines of text. */
import { oneLine } from '../../../runtime/legible.js';
import type { Histogram } from '../histogram.js';
import { percentiles, type Report, totalOf } from './report.js';
import type { Failure } from './rules.js';

/** With thousands set apart. */
export const count = (value: number): string => value.toLocaleString('en-US');

/** Milliseconds, with as many digits as mean something. */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

function times(histogram: Histogram): string {
  if (histogram.length === 0) return '–';
  const entries = Object.entries(percentiles(histogram));
  return entries.map(([name, ms]) => `${name} ${milliseconds(ms as number)}`).join('  ');
}

function reasons(counts: Readonly<Record<string, number>>): string {
  const total = totalOf(counts);
  if (total === 0) return '0';
  const parts = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return `${count(total)} (${parts.map(([reason, times]) => `${reason}: ${count(times)}`).join(', ')})`;
}

/** Rows of the text and of the page: what, and what was found. */
export function rowsOf(report: Report): [name: string, text: string][] {
  const { clients, failed, dropped, items, delivery, machines, timeline } = report;
  const perSecond = Math.max(0, ...timeline.rows.map(({ received }) => received / timeline.width));
  const isPublisher = items.published + items.unpublished > 0;
  return [
    ['clients', `${count(clients.held)} of ${count(clients.wanted)} held, ${count(clients.open)} at the end`],
    ['failed to open', reasons(failed)],
    ['lost connection', `${reasons(dropped)}, ${count(clients.reconnected)} reconnected`],
    ['opening', times(report.opening)],
    ...(isPublisher
      ? ([
          ['items', `${count(items.published)} published, ${count(items.unpublished)} not accepted`],
          ['acceptance', times(items.acceptance)],
        ] as [string, string][])
      : []),
    ['deliveries', `${count(delivery.received)}, ${count(Math.round(perSecond))} in the busiest second`],
    [
      'lost, doubled',
      `${items.seen ? count(delivery.lost) : 'not known'} lost, ${count(delivery.doubled)} doubled, ${count(delivery.disordered)} out of order`,
    ],
    ['delivery', times(report.latency)],
    ...machines.map((use, at): [string, string] => [
      machines.length > 1 ? `machine ${at + 1}` : 'this machine',
      `${Math.round(use.cpu * 100)} % of a core (${Math.round(use.cpuMost * 100)} % in the busiest second), ` +
        `late by ${milliseconds(use.lagP99)} (p99), ${Math.round(use.memory / 2 ** 20)} MiB`,
    ]),
  ];
}

/** What was run, in a line. */
export function titleOf({ url, kind, seconds, startedAt }: Report): string {
  return `${url}, ${kind}, ${seconds.toFixed(1)} s from ${startedAt}`;
}

/** A rule that made the run fail, and why. */
export function failureText({ rule, value }: Failure): string {
  return value === null ? `${rule}: there is nothing to judge it by` : `${rule}: it is ${Number(value.toFixed(3))}`;
}

/** The whole text, with a line end. What servers and files say cannot reach the terminal as control characters. */
export function reportText(report: Report, failures: readonly Failure[]): string {
  const lines = rowsOf(report).map(([name, text]) => `${name.padEnd(16)} ${text}`);
  return [
    titleOf(report),
    '',
    ...lines,
    ...report.warnings.map((warning) => `! ${warning}`),
    ...failures.map((failure) => `FAILED ${failureText(failure)}`),
    '',
  ]
    .map(oneLine)
    .join('\n');
}
