/** Whom a sampled stack counts for. The stacks are as perf(1) prints them. */
import { fileURLToPath } from 'node:url';
import t from 'tap';

interface Profile {
  readonly samples: number;
  readonly shares: Readonly<Record<string, number>>;
  readonly places: readonly (readonly [string, number])[];
}

// Plain JavaScript, outside of what is compiled.
const module = new URL('../profile.mjs', import.meta.url).href;
const { profileOf } = (await import(module)) as { profileOf: (script: string) => Profile };

const root = fileURLToPath(new URL('../..', import.meta.url));
const kernel = '([kernel.kallsyms])';
const node = '(/usr/bin/node)';
const map = '(/tmp/perf-17.map)';

/** One sample: `symbol (object)` lines, the innermost first. */
const sample = (...frames: string[]) => ['node ', ...frames.map((frame) => `\t    7f00ab ${frame}`)].join('\n');
const placeOf = (...frames: string[]) => {
  const { shares, places } = profileOf(`${sample(...frames)}\n\n`);
  return [Object.entries(shares).find(([, share]) => share === 1)?.[0], places[0]?.[0]];
};

t.test('the kernel counts by system call, page faults by themselves', async (t) => {
  t.strictSame(
    placeOf(`tcp_sendmsg ${kernel}`, `ksys_write ${kernel}`, `do_syscall_64 ${kernel}`, `uv_try_write ${node}`),
    ['send', 'kernel: write'],
  );
  t.strictSame(placeOf(`ep_poll ${kernel}`, `do_epoll_wait ${kernel}`), ['kernel', 'kernel: epoll_wait']);
  t.strictSame(placeOf(`clear_page ${kernel}`, `exc_page_fault ${kernel}`, `JS:*push a ${map}`), [
    'kernel',
    'kernel: page faults',
  ]);
});

t.test('what V8 does for a function counts for that function, by whom it belongs to', async (t) => {
  const own = `JS:*flush file://${root}proxy/dist/edge/node/response.js:142:10 ${map}`;
  const library = `JS:^_resume ${root}node_modules/undici/lib/dispatcher/client.js:5:1 ${map}`;
  const ofNode = `JS:~ node:net:341:24 ${map}`;
  t.strictSame(placeOf(own, library), ['own', 'flush, proxy/src/edge/node/response.ts']);
  t.strictSame(placeOf(`Builtins_LoadIC ${node}`, library, own), ['library', '_resume, undici']);
  t.strictSame(placeOf(`v8::internal::Runtime_StoreIC_Miss(int) ${node}`, ofNode, own), [
    'node',
    '(anonymous), node:net',
  ]);
  t.strictSame(placeOf(`Builtins_RunMicrotasks ${node}`, `main ${node}`), ['engine', 'Builtins_RunMicrotasks']);
});

t.test('C++ counts for itself, the C library for its caller, the collector before all', async (t) => {
  const own = `JS:*flush file://${root}proxy/dist/a.js:1:1 ${map}`;
  t.strictSame(placeOf(`uv_try_write ${node}`, own), ['native', 'uv_try_write']);
  t.strictSame(placeOf('malloc (/usr/lib/x86_64-linux-gnu/libc.so.6)', `uv__read ${node}`), ['native', 'uv__read']);
  t.strictSame(placeOf('[unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)'), ['native', 'libc.so.6']);
  const collecting = `v8::internal::ScavengerCollector::CollectGarbage() ${node}`;
  t.strictSame(placeOf(`Builtins_LoadIC ${node}`, collecting, own), ['collector', 'garbage collector']);
});

t.test('shares are of all samples, and places come by share', async (t) => {
  const write = sample(`ksys_write ${kernel}`);
  const { samples, shares, places } = profileOf([write, sample(`uv_run ${node}`), write, write, ''].join('\n\n'));
  t.equal(samples, 4);
  t.match(shares, { send: 0.75, native: 0.25, own: 0 });
  t.strictSame(places, [
    ['kernel: write', 0.75],
    ['uv_run', 0.25],
  ]);
  t.equal(profileOf('').samples, 0);
});
