/**
 * Noticing that a file has changed.
 *
 * Polls by path. Events of the file system follow the inode, and so miss a file that is replaced (editors, rsync) or
 * that sits behind a swapped symlink (a Kubernetes ConfigMap). Does not own: what to do about a change.
 */
import { type Stats, stat, statSync } from 'node:fs';

/**
 * Calls `onChange` after the file behind `path` has changed, appeared or gone, until the result is called. Every change
 * after the call counts, so that a file that is read afterwards is never stale for good.
 */
export type WatchFile = (path: string, onChange: () => void) => () => void;

/** Milliseconds between looks. */
const INTERVAL = 250;

/** What differs between two states of a file; empty for a file that is not there. */
function mark(stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
}

/**
 * Looks every `interval` milliseconds and tells of a change at the first look that finds no further one, so that a file
 * is not read while it is being written. Does not keep the process alive.
 */
export function pollFile(path: string, onChange: () => void, interval = INTERVAL): () => void {
  let told = mark(statSync(path, { throwIfNoEntry: false }));
  let seen = told;
  let stopped = false;
  const timer = setInterval(() => {
    stat(path, (error, stats) => {
      if (stopped) return;
      const now = mark(error === null ? stats : undefined);
      const settled = now === seen;
      seen = now;
      if (!settled || now === told) return;
      told = now;
      onChange();
    });
  }, interval).unref();
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}
