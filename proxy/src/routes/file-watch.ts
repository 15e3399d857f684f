/** Noticing that a file has changed. */
import { type FSWatcher, lstatSync, readlinkSync, type Stats, stat, statSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Calls `onChange` after the file behind `path` has changed, appeared or gone, until the result is called. Every change
 * after the call counts, so that a file that is read afterwards is never stale for good.
 */
export type WatchFile = (path: string, onChange: () => void) => () => void;

/** Milliseconds between looks. */
const INTERVAL = 250;

/** Milliseconds between looks at a file that was just replaced. */
const SOON = 20;

/**
 * Symbolic links that are followed to find the directories, as many as Linux does.
 *
 * @limit {} symbolic links on the way to the routes file that are watched
 * @over a swap of another is noticed within half a second
 */
const LINKS_MAX = 40;

/** What differs between two states of a file; empty for a file that is not there. */
function mark(stats: Stats | undefined): string {
  return stats === undefined ? '' : `${which(stats)} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
}

/** Which file it is, whatever it contains. A new one may get the number of one that has just been deleted. */
function which(stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.birthtimeMs}`;
}

/**
 * Polls by path. Events of the file system follow the inode, and so miss a file that is replaced (editors, rsync) or
 * that sits behind a swapped symlink (a Kubernetes ConfigMap). Events of the directories in which such a swap is made only
 * have it look sooner: where there are none, as on a network's file system, the next look finds it.
 *
 * Looks every `interval` milliseconds and reports a change at the first look that finds no further one, so that a file
 * is not read while it is being written. A file that takes the place of another is looked at sooner: it is mostly whole.
 * Does not keep the process alive.
 */
export function pollFile(path: string, onChange: () => void, interval = INTERVAL): () => void {
  const first = statsOf(path);
  let reported = mark(first);
  let file = which(first);
  let seen = reported;
  let stopped = false;
  let seenSoon = reported;
  let soon: NodeJS.Timeout | undefined;
  let swaps = watchSwaps(path, lookSoon);
  const look = (use: (stats: Stats | undefined) => void) =>
    stat(path, (error, stats) => {
      if (!stopped) use(error === null ? stats : undefined);
    });
  const timer = setInterval(() => {
    look((stats) => {
      const now = mark(stats);
      const isStable = now === seen;
      seen = now;
      if (isStable && now !== reported) report(stats);
    });
  }, interval).unref();

  function lookSoon(): void {
    soon ??= setTimeout(() => {
      soon = undefined;
      look((stats) => {
        if (stats === undefined || which(stats) === file) return;
        const now = mark(stats);
        const isStable = now === seenSoon;
        seenSoon = now;
        if (isStable) report(stats);
        else lookSoon();
      });
    }, SOON).unref();
  }

  function report(stats: Stats | undefined): void {
    reported = mark(stats);
    if (which(stats) !== file) {
      file = which(stats);
      // The directories may be others, too.
      swaps();
      swaps = watchSwaps(path, lookSoon);
    }
    onChange();
  }

  return () => {
    stopped = true;
    clearInterval(timer);
    clearTimeout(soon);
    swaps();
  };
}

/** Undefined for a file that is not there, or to which no way leads. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Calls `onEvent` when something happens in one of the directories where this path, or a part of it, may be swapped. */
function watchSwaps(path: string, onEvent: () => void): () => void {
  const watchers: FSWatcher[] = [];
  for (const directory of directoriesOf(path)) {
    try {
      const watcher = watch(directory, { persistent: false }, onEvent);
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // It is not there, or there are no more watches to be had: the next look finds what has changed.
    }
  }
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}

/** That of the file, and those of all symbolic links on the way to it. */
function directoriesOf(path: string): ReadonlySet<string> {
  const whole = resolve(path);
  const directories = new Set([dirname(whole)]);
  const paths = [whole];
  for (let links = 0; paths.length > 0; ) {
    let part = paths.pop() as string;
    for (let parent = dirname(part); parent !== part; part = parent, parent = dirname(part)) {
      if (!isLink(part) || links++ === LINKS_MAX) continue;
      directories.add(parent);
      try {
        const target = resolve(parent, readlinkSync(part));
        directories.add(dirname(target));
        paths.push(target);
      } catch {
        // Swapped at this moment: another event follows.
      }
    }
    if (links > LINKS_MAX) break;
  }
  return directories;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
