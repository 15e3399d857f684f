/** `npm run demo`: nothing of it stays behind when it is killed, and what goes wrong is shown. */
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { until } from '../../kit/until.js';
import { isThere, startDemo } from './demo.js';

const linux = { skip: process.platform !== 'linux' && 'processes of others are seen on Linux only' };

for (const [what, signal, at] of [
  ['SIGTERM to npm', 'SIGTERM', 0],
  ['SIGKILL to npm', 'SIGKILL', 0],
  // Before the last two, which are the application and Holdfast.
  ['SIGKILL to the demo', 'SIGKILL', -3],
] as const) {
  t.test(`${what} ends the whole demo, with a client that is held`, linux, async (t) => {
    const { clients, pids } = await startDemo(t);
    t.ok(pids.length >= 4, pids.join());
    await (await open(t, `${clients}/stream`)).until('[stream opened]\n');
    const killed = Date.now();
    process.kill(pids.at(at) as number, signal);
    await until('all have gone', () => !pids.some(isThere));
    const took = Date.now() - killed;
    t.comment(`after ${took} ms`);
    t.ok(took < 10_000, 'soon, also on a machine that does much else');
  });
}

t.test('what goes wrong is shown', async (t) => {
  const { npm, clients } = await startDemo(t);
  t.match(await ask(t, `${clients}/stream?channel=${'x'.repeat(300)}`), { status: 502 });
  await until('the warning', () => /^\[holdfast\] warn /m.test(npm.stderr));
});
