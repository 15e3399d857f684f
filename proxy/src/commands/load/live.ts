/** The line on standard error that shows how a run goes: in place on a terminal, else a line now and then. */

import { count, milliseconds } from './reports/text-report.js';
import type { Progress } from './run.js';

/** Where nobody watches, in seconds. */
const EVERY_S = 10;

/** The state of a run in one line. */
export function progressText({ phase, clients, crowd, tally, ...now }: Progress): string {
  const { lost, doubled, disordered } = tally.counts;
  const wrong = { failed: crowd.failed.total, reconnected: crowd.reconnected, lost, doubled, disordered };
  const shown = Object.entries(wrong).filter(([, times]) => times > 0);
  return [
    phase,
    `${count(crowd.open)} of ${count(clients)} held`,
    `${count(now.published)} published`,
    `${count(now.receivedPerSecond)}/s`,
    `p50 ${milliseconds(now.p50)} p99 ${milliseconds(now.p99)}`,
    ...shown.map(([name, times]) => `${count(times)} ${name}`),
    `cpu ${Math.round(now.cpu * 100)} %`,
  ].join(' · ');
}

/** Shows progress on a stream. */
export class LiveLine {
  readonly #out: NodeJS.WriteStream;
  #seconds = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(progress: Progress): void {
    const text = progressText(progress);
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${text.slice(0, (this.#out.columns || 80) - 1)}`);
    else if (this.#seconds++ % EVERY_S === 0) this.#out.write(`${text}\n`);
  }

  /** Leaves a free line behind. */
  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[K');
  }
}
