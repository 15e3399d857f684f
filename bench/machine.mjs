// Owns: what a run was made on, for whoever reads its figures. Does not own: the figures.
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { root } from '../scripts/setup.mjs';

/** @typedef {ReturnType<typeof describeMachine>} Machine */

export function describeMachine() {
  const cores = cpus();
  const commit = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' });
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: commit.status === 0 ? commit.stdout.trim() : 'unknown',
    /** Of the minute before the run; on an idle machine near 0. */
    loadBefore: loadavg()[0],
    date: new Date().toISOString().slice(0, 10),
  };
}

/** One line. @param {Machine} machine */
export function machineLine({ cpu, cores, memoryGb, kernel, node, commit, loadBefore, date }) {
  return `${cpu}, ${cores} cores, ${memoryGb} GB; Linux ${kernel}; Node ${node}; Holdfast ${commit}; ${date}; load before the run ${loadBefore?.toFixed(2)}`;
}
