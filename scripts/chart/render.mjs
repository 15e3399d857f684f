// Charts rendered by render.go, which is built for each run: Go keeps what it has compiled.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../setup.mjs';

/**
 * @typedef {object} ValueSet
 * @property {string} name
 * @property {object} values  laid over those of the chart
 * @property {object} [release]  laid over the release of the run
 *
 * @typedef {object} Outcome
 * @property {Record<string, string>} files  text by path in the chart; empty when `error` is set
 * @property {string} error  what the templates refused, or empty
 */

/** The chart's folder. */
export const chart = path.join(root, 'deploy', 'helm', 'holdfast');

/**
 * Renders a chart with several sets of values, in one process.
 *
 * @param {readonly ValueSet[]} sets
 * @param {{ Name: string, Namespace: string, Service: string }} release  what `.Release` is
 * @param {string} [folder]  another chart's
 * @returns {Record<string, Outcome>} by the name of the set
 * @throws {Error} when there is no Go, or the chart itself cannot be read
 */
export function renderChart(sets, release, folder = chart) {
  const work = mkdtempSync(path.join(tmpdir(), 'holdfast-chart-'));
  try {
    const renderer = path.join(work, 'render');
    const cwd = path.join(root, 'scripts', 'chart');
    const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
    const build = spawnSync('go', ['build', '-o', renderer, 'render.go'], { cwd, env, encoding: 'utf8' });
    if (build.status !== 0) throw new Error(`go build: ${build.error?.message ?? build.stderr}`);
    const input = JSON.stringify({ chart: folder, release, sets });
    const run = spawnSync(renderer, { input, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
    if (run.status !== 0) throw new Error(run.error?.message ?? run.stderr);
    return JSON.parse(run.stdout);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
