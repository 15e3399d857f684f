import { ServerResponse } from 'node:http';
import t from 'tap';
import { FastPaths } from '../../dist/runtime/node-internals/fast-paths.js';
import { hideUpgrades } from './hide-upgrades.js';

const known = () => Object.fromEntries(FastPaths.probe().known);

const ALL = {
  direct_write: true,
  idle_connection: true,
  read_pause: true,
  bodiless_head: true,
  write_queue: true,
  write_progress: true,
};

t.test('on this version of node every path that can be probed is active', async (t) => {
  t.strictSame(known(), ALL);
});

t.test('a node that hides its bindings has no direct writes, nor their progress', async (t) => {
  const { binding } = process as unknown as { binding: unknown };
  t.teardown(() => Object.assign(process, { binding }));
  Object.assign(process, {
    binding: () => {
      throw new Error('hidden');
    },
  });
  t.strictSame(known(), { ...ALL, direct_write: false, write_progress: false });
});

t.test('a node that does not check for a change of protocols keeps HTTP on its connections', async (t) => {
  hideUpgrades(t);
  t.strictSame(known(), { ...ALL, idle_connection: false });
});

t.test('a node without the names of which heads are made says so', async (t) => {
  const parent = Object.getPrototypeOf(ServerResponse.prototype) as { _send?: unknown };
  const { _send } = parent;
  t.teardown(() => Object.assign(parent, { _send }));
  delete parent._send;
  t.strictSame(known(), { ...ALL, bodiless_head: false });
});

t.test('what is reported later is known then, and is news once', async (t) => {
  const paths = FastPaths.probe();
  t.notOk(paths.known.has('origin_parser'));
  t.ok(paths.report('origin_parser', true));
  t.notOk(paths.report('origin_parser', true));
  t.ok(paths.report('origin_parser', false), 'an undici that has changed');
  t.strictSame(paths.list(false), ['origin_parser']);
});
