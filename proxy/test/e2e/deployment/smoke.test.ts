/** scripts/smoke.sh against two real nodes: it passes where items are delivered, and says what is wrong where not. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { deadPort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';

const KEY = 'a key with "quotes" \\ and more';

/** Runs the script; resolves with how it ended. */
async function smoke(t: Test, a: Holdfast | string, b: Holdfast | string, env: Record<string, string> = {}) {
  const SMOKE_CLIENTS = typeof a === 'string' ? a : a.clients;
  const SMOKE_CONTROL = typeof b === 'string' ? b : b.control;
  const own = { SMOKE_CLIENTS, SMOKE_CONTROL, SMOKE_TIMEOUT: '20', SMOKE_KEY: KEY, ...env };
  const run = startChild(t, { command: 'sh', args: [join(root, 'scripts', 'smoke.sh')], env: own });
  const { code } = await run.exited;
  return { code, stdout: run.stdout, stderr: run.stderr };
}

t.test('scripts/smoke.sh', async (t) => {
  const redis = await startRedis(t);
  const origin = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples', 'express-origin', 'server.mjs')],
    env: { PORT: '0' },
  });
  const [, target = ''] = await origin.line(/listening on http:\/\/(\S+)\n/);
  const node = (settings: Record<string, string> = {}) =>
    startHoldfast(t, { routes: [`* ${target},over_http`], settings: { control_key: KEY, ...settings } });
  const [a, b, alone] = await Promise.all([node({ redis_url: redis.url }), node({ redis_url: redis.url }), node()]);

  t.test('an item published to one node arrives on another, over each transport', async (t) => {
    t.strictSame(await smoke(t, a, b), { code: 0, stdout: 'ok   stream\nok   poll\nok   socket\n', stderr: '' });
  });

  t.test('nodes that are not one system fail, on each transport', async (t) => {
    const { code, stdout, stderr } = await smoke(t, a, alone, { SMOKE_TIMEOUT: '1' });
    t.equal(code, 1);
    t.equal(stdout, '');
    for (const name of ['stream', 'poll', 'socket'])
      t.match(stderr, new RegExp(`^FAIL ${name}: http\\S+: subscribed, but the item has not arrived$`, 'm'));
  });

  t.test('a wrong key fails', async (t) => {
    const { code, stderr } = await smoke(t, a, b, { SMOKE_KEY: 'wrong' });
    t.equal(code, 1);
    t.match(stderr, /^FAIL node B refused the key \(401\)/);
  });

  t.test('a path that the origin does not hold fails, with its status', async (t) => {
    const { code, stdout, stderr } = await smoke(t, a, b, { SMOKE_SOCKET_PATH: '/nothing', SMOKE_TIMEOUT: '1' });
    t.equal(code, 1);
    t.equal(stdout, '');
    t.match(stderr, /^FAIL socket: http\S+\/nothing: status 404, expected 101/m);
  });

  t.test('nodes that are not there fail', async (t) => {
    const dead = `http://127.0.0.1:${await deadPort()}`;
    t.match(await smoke(t, a, dead), { code: 1, stderr: /^FAIL node B cannot be reached at/ });
    const clients = await smoke(t, dead, b, { SMOKE_TIMEOUT: '1', SMOKE_TRANSPORTS: 'stream' });
    t.match(clients, { code: 1, stderr: /^FAIL stream: \S+: no answer\. curl: \(7\)/ });
  });

  t.test('wrong use has a status of its own', async (t) => {
    t.match(await smoke(t, a, b, { SMOKE_CHANNEL: 'a"b' }), { code: 2, stderr: /^smoke: SMOKE_CHANNEL/ });
    t.match(await smoke(t, a, b, { SMOKE_TIMEOUT: 'soon' }), { code: 2, stderr: /^smoke: SMOKE_TIMEOUT/ });
    t.match(await smoke(t, a, b, { SMOKE_TRANSPORTS: 'fax' }), { code: 2, stderr: /not fax/ });
    t.match(await smoke(t, a, b, { SMOKE_TRANSPORTS: ' ' }), { code: 2, stderr: /names nothing/ });
  });
});
