/** Lines over time, of the last minutes, by uPlot. */
import { el } from './dom.js';
// @ts-expect-error: served beside this file, out of the package uplot
import uPlot from './uplot.js';

/** Readings that a chart keeps: ten minutes of one in two seconds. */
const KEPT = 300;
const HEIGHT = 170;
const COLORS = ['#3b82c4', '#d9822b', '#2a9d62'];

/** A chart that grows. */
export class TimeChart {
  /** @type {any} */
  #plot;
  /** @type {number[]} */
  #times = [];
  /** @type {(number | null)[][]} */
  #rows;

  /**
   * @param {string} title
   * @param {readonly string[]} names  of its lines
   * @param {(value: number) => string} show
   * @param {AbortSignal} signal  with which it goes
   */
  constructor(title, names, show, signal) {
    this.names = names;
    this.show = show;
    this.#rows = names.map(() => []);
    this.element = el('section', { class: 'chart' }, el('h3', {}, title));
    const watch = new ResizeObserver(() => this.#plot?.setSize(this.#size));
    watch.observe(this.element);
    signal.addEventListener('abort', () => {
      watch.disconnect();
      this.#plot?.destroy();
    });
  }

  /** @param {number} at  in ms @param {readonly number[]} values  one for each line; NaN leaves a gap */
  add(at, values) {
    this.#times.push(at / 1_000);
    for (const [i, row] of this.#rows.entries()) row.push(Number.isFinite(values[i]) ? Number(values[i]) : null);
    if (this.#times.length > KEPT) for (const row of [this.#times, ...this.#rows]) row.shift();
    this.#plot ??= this.#make();
    this.#plot.setData([this.#times, ...this.#rows]);
  }

  get #size() {
    return { width: Math.max(200, this.element.clientWidth - 20), height: HEIGHT };
  }

  #make() {
    const style = getComputedStyle(document.documentElement);
    const [ink, line] = ['--quiet', '--line'].map((name) => style.getPropertyValue(name).trim());
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const series = this.names.map((label, i) => ({
      label,
      stroke: COLORS[i % COLORS.length],
      width: 1.5,
      points: { size: 4 },
      value: (/** @type {unknown} */ _, /** @type {number | null} */ value) =>
        value === null ? '–' : this.show(value),
    }));
    const times = (/** @type {unknown} */ _, /** @type {number[]} */ ticks) =>
      ticks.map((at) => new Date(at * 1_000).toLocaleTimeString('sv'));
    const values = (/** @type {unknown} */ _, /** @type {number[]} */ ticks) => ticks.map(this.show);
    const options = {
      ...this.#size,
      // A line of zeros lies at the bottom.
      scales: {
        y: {
          range: (/** @type {unknown} */ _, /** @type {number} */ __, /** @type {number | null} */ max) => [
            0,
            (max || 1) * 1.1,
          ],
        },
      },
      series: [{ label: 'at', value: '{HH}:{mm}:{ss}' }, ...series],
      axes: [
        { ...axis, space: 80, values: times },
        { ...axis, size: 64, values },
      ],
    };
    return new uPlot(options, [this.#times, ...this.#rows], this.element);
  }
}
