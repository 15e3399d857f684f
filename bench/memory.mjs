// Owns: how much memory a target's processes take. Does not own: when that is asked.
import { readFileSync } from 'node:fs';

/**
 * Resident memory in KB: of one process its RSS; of several the sum of their PSS, in which what they share counts once.
 *
 * @param {readonly number[]} pids
 */
export function memoryKb(pids) {
  const key = pids.length > 1 ? 'Pss' : 'Rss';
  return pids.reduce((sum, pid) => sum + fieldKb(`/proc/${pid}/smaps_rollup`, key), 0);
}

/** @param {string} file @param {string} key */
function fieldKb(file, key) {
  try {
    return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}
