// Histograms of the load's durations: those of `holdfast load`, as they were built.
import path from 'node:path';
import { root } from '../scripts/setup.mjs';

/** @typedef {ReadonlyArray<readonly [number, number]>} Histogram  [µs, how many], rising */

export const { addUp, countOf, draw, quantile } = await import(
  path.join(root, 'proxy/dist/commands/load/histogram.js')
);
