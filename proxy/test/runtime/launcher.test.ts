import t from 'tap';
import {
  isLaunched,
  LOOK_EVERY_MS,
  type Processes,
  realProcesses,
  watchLauncher,
} from '../../dist/runtime/launcher.js';
import { ManualClock } from '../kit/manual-clock.js';

const script = (text: string) => ({ npm_lifecycle_script: text });

t.test('a script of npm that runs the command, and does not detach it', async (t) => {
  for (const text of [
    "'holdfast'",
    '"holdfast"',
    'holdfast',
    'holdfast --config a.yaml',
    'NODE_ENV=production A=b holdfast',
    './node_modules/.bin/holdfast -v',
    'holdfast check-config && holdfast',
    'holdfast 2>&1',
    'holdfast &> log',
    "'pushpin' '--port' '1'",
  ]) {
    t.equal(isLaunched(script(text)), true, text);
  }
  for (const text of [
    'holdfast &',
    'holdfast & sleep 1',
    'nohup holdfast',
    'holdfast && setsid x',
    'pm2 start holdfast',
    'node server.js',
    'holdfast-monitor',
    'bash',
    '',
  ]) {
    t.equal(isLaunched(script(text)), false, text);
  }
  t.equal(isLaunched({}), false);
});

/** Processes 10 (npm), 20 (what is between) and this one, whose parent is 20. */
function fixture(between: string, env = script('holdfast')) {
  const seen = { parent: 20, grandparent: 10, gone: 0 };
  const processes: Processes = {
    get parent() {
      return seen.parent;
    },
    look: (pid) => (pid === 20 ? { name: between, parent: seen.grandparent } : undefined),
  };
  const clock = new ManualClock();
  const unwatch = watchLauncher(env, () => seen.gone++, clock, processes);
  return { seen, clock, unwatch };
}

t.test('it is noticed when the shell has gone, and when only npm has gone', async (t) => {
  for (const member of ['parent', 'grandparent'] as const) {
    const { seen, clock } = fixture('sh');
    clock.advance(10 * LOOK_EVERY_MS);
    t.equal(seen.gone, 0);
    seen[member] = 1;
    clock.advance(LOOK_EVERY_MS);
    t.equal(seen.gone, 1, member);
    clock.advance(10 * LOOK_EVERY_MS);
    t.equal(seen.gone, 1, 'once');
    t.equal(clock.pending, 0);
  }
});

t.test('where npm is the parent itself, its own parent is nothing to us', async (t) => {
  const { seen, clock } = fixture('npm exec holdfa');
  seen.grandparent = 1;
  clock.advance(10 * LOOK_EVERY_MS);
  t.equal(seen.gone, 0);
});

t.test('a process that no npm has started is not watched, and one that is need not be for ever', async (t) => {
  const daemon = fixture('sh', script('node x'));
  daemon.seen.parent = 1;
  t.equal(daemon.clock.pending, 0);
  const { seen, clock, unwatch } = fixture('sh');
  seen.parent = 1;
  unwatch();
  clock.advance(10 * LOOK_EVERY_MS);
  t.equal(seen.gone, 0);
});

t.test('the parent of this process is known', { skip: process.platform !== 'linux' && 'not Linux' }, async (t) => {
  t.equal(realProcesses.parent, process.ppid);
  t.match(realProcesses.look(process.pid), { name: String, parent: process.ppid });
  t.equal(realProcesses.look(2 ** 22 + 1), undefined);
});
