/**
 * A picture of the board as a PNG: its panels, with what a Prometheus has for each query, drawn by uPlot in Chromium. Grafana has no
 * part in it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { root } from '../../../kit/child.js';
import { Chromium } from '../../../kit/clients/chromium.js';
import { newDirectory } from '../../../kit/holdfast.js';
import { type Board, type Panel, substitute } from '../board.js';
import type { Matrix, Prometheus } from '../prometheus.js';

/** One line of a panel: a value for each time, or null where there is none. */
interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** A panel as the page takes it. */
interface DrawnPanel {
  readonly type: Panel['type'];
  readonly title: string;
  readonly gridPos: Panel['gridPos'];
  readonly unit: string;
  readonly log: boolean;
  readonly series: readonly Line[];
}

/** All that is drawn. */
export interface DrawnBoard {
  readonly title: string;
  readonly panels: readonly DrawnPanel[];
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  /** When alerts began to fire. */
  readonly marks: readonly { readonly time: number; readonly name: string }[];
}

/** A picture, and how many lines each panel has. */
export interface Picture {
  readonly png: Buffer;
  readonly lines: Readonly<Record<string, number>>;
}

/** A legend with its labels filled in. */
const legend = (format: string, labels: Matrix['metric']) =>
  format.replace(/\{\{(\w+)\}\}/g, (_, name: string) => labels[name] ?? '');

/** Asks a Prometheus for everything on the board, from its start until now; both times are in seconds. */
export async function readPanels(
  prometheus: Prometheus,
  board: Board,
  { step, rate }: { readonly step: number; readonly rate: number },
): Promise<DrawnBoard> {
  const end = Math.floor(Date.now() / 1_000);
  const count = Math.floor((end - prometheus.startedAt) / step);
  const times = Array.from({ length: count }, (_, n) => end - (count - 1 - n) * step);
  const range = { start: times[0] ?? end, end, step };
  const lines = async ({ targets = [] }: Panel) => {
    const found: Line[] = [];
    for (const { expr, legendFormat } of targets)
      for (const { metric, values } of await prometheus.range(substitute(expr, rate), range)) {
        const byTime = new Map(values);
        // What is not a number, such as a quantile of nothing, is a gap.
        const points = times.map((time) => byTime.get(time) ?? null);
        const line = points.map((value) => (value !== null && Number.isFinite(value) ? value : null));
        found.push({ name: legend(legendFormat, metric), values: line });
      }
    return found;
  };
  const panels: DrawnPanel[] = [];
  for (const panel of board.panels) {
    const { type, title, gridPos, fieldConfig } = panel;
    const { unit = 'short', custom } = fieldConfig?.defaults ?? {};
    const log = custom?.scaleDistribution?.type === 'log';
    panels.push({ type, title, gridPos, unit, log, series: await lines(panel) });
  }
  const marks = [];
  for (const { expr } of board.annotations.list)
    for (const { metric, values } of await prometheus.range(expr, range))
      marks.push({ time: values[0]?.[0] ?? end, name: metric.alertname ?? '' });
  return { title: board.title, panels, times, marks };
}

const here = new URL('../../../../test/e2e/observe/picture/', import.meta.url);

/** Draws. The browser ends with the test. */
export async function draw(t: Test, board: DrawnBoard): Promise<Picture> {
  const uplot = join(root, 'node_modules', 'uplot', 'dist');
  const html = `<!doctype html><meta charset="utf-8"><style>${readFileSync(join(uplot, 'uPlot.min.css'), 'utf8')}</style>
<script>${readFileSync(join(uplot, 'uPlot.iife.min.js'), 'utf8')}</script>
<script>${readFileSync(new URL('draw.js', here), 'utf8')}</script><body></body>`;
  const file = join(newDirectory(t), 'board.html');
  writeFileSync(file, html);
  const page = await (await Chromium.start(t)).open(`file://${file}`);
  const { lines, width, height } = await page.evaluate<{ lines: Picture['lines']; width: number; height: number }>(
    `drawBoard(${JSON.stringify(board)})`,
  );
  return { png: await page.picture(width, height), lines };
}
