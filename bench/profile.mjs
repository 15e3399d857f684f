// Where the time of a node process goes: sampled with perf(1), its stacks counted by owner and by place.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from '../scripts/setup.mjs';

/** Samples of each second of CPU time; a prime, so that nothing periodic is hit again and again. */
const HERTZ = 1_997;
/** For perf to attach itself: it does not tell when it has. */
const START_MS = 500;

/** Flags of node that give compiled functions names for perf. */
export const profiledNode = ['--perf-basic-prof'];

/** Those who spend time, in the order in which they are shown. */
export const owners = /** @type {const} */ ([
  ['send', 'kernel: sending'],
  ['kernel', 'kernel: the rest'],
  ['own', 'Holdfast'],
  ['library', 'npm packages'],
  ['node', 'JS of node'],
  ['native', 'C++ of node, libuv, uws'],
  ['collector', 'garbage collector'],
  ['engine', 'V8, the rest'],
]);

/** @typedef {(typeof owners)[number][0]} Owner */
/** @typedef {{ readonly symbol: string, readonly object: string }} Frame */
/** @typedef {{ readonly samples: number, readonly shares: Record<Owner, number>, readonly places: [string, number][] }} Profile  places by share, the greatest first */

const sending = new Set(['sendto', 'sendmsg', 'write', 'writev']);
const collector =
  /^v8::internal::.*(?:Scaveng|MarkCompact|Marking|Sweep|Evacuat|GarbageCollect|Heap::Collect|HeapVisitor)/;
const engine = /^(?:Builtins_|v8::|.*[<: ]v8::internal::)/;

/** @returns {string | undefined} why there can be no profile */
export function missingPerf() {
  return spawnSync('perf', ['--version']).status === 0 ? undefined : 'perf is not installed';
}

/**
 * Samples a process for as long as `during` takes. The process was started with `profiledNode`, and its first thread is it.
 *
 * @template T
 * @param {{ pid: number, file: string }} what  `file`: where perf puts its samples meanwhile
 * @param {() => Promise<T>} during
 * @returns {Promise<{ result: T, profile: Profile }>}
 */
export async function profiled({ pid, file }, during) {
  const flags = ['-q', '-e', 'cpu-clock', '-F', String(HERTZ), '-g', '-p', String(pid), '-o', file];
  const perf = spawn('perf', ['record', ...flags], { stdio: 'ignore' });
  const ended = once(perf, 'exit');
  try {
    await delay(START_MS);
    const result = await during();
    perf.kill('SIGINT');
    await ended;
    const { stdout } = spawnSync('perf', ['script', '-i', file, '-F', 'comm,ip,sym,dso'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    return { result, profile: profileOf(stdout) };
  } finally {
    perf.kill('SIGKILL');
    rmSync(file, { force: true });
    rmSync(`/tmp/perf-${pid}.map`, { force: true });
  }
}

/** @param {string} script  as `perf script -F comm,ip,sym,dso` prints it @returns {Profile} */
export function profileOf(script) {
  const counts = /** @type {Record<Owner, number>} */ (Object.fromEntries(owners.map(([owner]) => [owner, 0])));
  /** @type {Map<string, number>} */
  const places = new Map();
  let samples = 0;
  for (const sample of script.split('\n\n')) {
    const stack = sample.split('\n').flatMap((line) => frameOf(line) ?? []);
    if (stack.length === 0) continue;
    const { owner, place } = spender(stack);
    samples++;
    counts[owner]++;
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  const share = (/** @type {number} */ count) => count / Math.max(samples, 1);
  return {
    samples,
    shares: /** @type {Record<Owner, number>} */ (
      Object.fromEntries(Object.entries(counts).map(([owner, count]) => [owner, share(count)]))
    ),
    places: [...places].sort(([, a], [, b]) => b - a).map(([place, count]) => [place, share(count)]),
  };
}

/** @param {string} line @returns {Frame | undefined} undefined for a line that is none */
function frameOf(line) {
  const found = /^\s+[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)$/.exec(line);
  return found === null ? undefined : { symbol: found[1] ?? '', object: found[2] ?? '' };
}

/**
 * Who a sample counts for: the kernel for its own time, by system call; C++ for its own; what V8 does by itself for the
 * nearest function in JavaScript that has it done.
 *
 * @param {readonly Frame[]} stack  the innermost first
 * @returns {{ owner: Owner, place: string }}
 */
function spender(stack) {
  const [leaf] = stack;
  if (leaf?.object.startsWith('[')) return kernelSpender(stack);
  if (stack.some(({ symbol }) => collector.test(symbol))) return { owner: 'collector', place: 'garbage collector' };
  // The C library, and what has no name, count for their caller.
  const at = stack.findIndex(
    ({ symbol, object }) => symbol !== '[unknown]' && !/\/lib(?:c|stdc\+\+|m)[.-]/.test(object),
  );
  const frame = stack[at];
  if (frame === undefined) return { owner: 'native', place: path.basename(leaf?.object ?? '') };
  if (!isScript(frame) && !engine.test(frame.symbol)) return { owner: 'native', place: shortName(frame.symbol) };
  const script = stack.find(isScript);
  return script === undefined ? { owner: 'engine', place: shortName(frame.symbol) } : scriptSpender(script);
}

/**
 * The compiler lets some of the functions that a system call begins with jump to the next one, and then they are not on the stack.
 *
 * @param {readonly Frame[]} stack
 * @returns {{ owner: Owner, place: string }}
 */
function kernelSpender(stack) {
  const inside = stack.filter(({ object }) => object.startsWith('['));
  for (const { symbol } of inside.toReversed()) {
    const call =
      /^(?:__x64_sys|__arm64_sys|ksys|__sys|do)_(accept4?|close|connect|epoll_\w+|futex|madvise|m?map|mmap|munmap|mprotect|read|readv|recvfrom|recvmsg|sendmsg|sendto|setsockopt|shutdown|socket|writev?)$/.exec(
        symbol,
      )?.[1];
    if (call !== undefined) return { owner: sending.has(call) ? 'send' : 'kernel', place: `kernel: ${call}` };
    if (/page_fault/.test(symbol)) return { owner: 'kernel', place: 'kernel: page faults' };
  }
  return { owner: 'kernel', place: 'kernel: interrupts, and the rest' };
}

/** @param {Frame} frame */
function isScript({ symbol }) {
  return symbol.startsWith('JS:');
}

/** @param {Frame} frame  such as `JS:*flush file:///…/node/response.js:142:10` @returns {{ owner: Owner, place: string }} */
function scriptSpender({ symbol }) {
  const [, name, file = ''] = /^JS:[~^*+]?(\S*) ?(.*?)(?::\d+){0,2}$/.exec(symbol) ?? [];
  const local = file.replace('file://', '').replace(`${root}${path.sep}`, '');
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(local)?.[1];
  const owner = library !== undefined ? 'library' : local.includes('/dist/') ? 'own' : 'node';
  const where = library ?? local.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
  return {
    owner,
    place: `${name || '(anonymous)'}, ${owner === 'own' ? where : local.startsWith('node:') ? local : where}`,
  };
}

/** Without namespaces of V8, arguments and templates. @param {string} symbol */
function shortName(symbol) {
  return symbol
    .replace(/^v8::internal::/, '')
    .replace(/\(.*$/, '')
    .replace(/<.*>/, '<…>');
}
