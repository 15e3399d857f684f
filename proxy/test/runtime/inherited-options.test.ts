/** Options that connections have from the socket that listens: the kernel shows them, as far as it shows any. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { setOnListener } from '../../dist/runtime/node-internals/inherited-options.js';

const ss = spawnSync('ss', ['-V']).status === 0;

t.test('accepted connections have the keep-alive of the listener', async (t) => {
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.equal(setOnListener(server), process.platform === 'linux');
  t.equal(setOnListener(server), false, 'once');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  const [socket] = (await accepted) as [Socket];
  t.teardown(() => socket.destroy());
  if (process.platform !== 'linux' || !ss) {
    t.pass('the timer', { skip: 'SKIPPED: there is no ss(8), so the kernel was not asked' });
    return;
  }
  const { stdout } = spawnSync('ss', ['-tnoH', 'sport', '=', `:${port}`], { encoding: 'utf8' });
  t.match(stdout, /timer:\(keepalive,(?:30|29|2\d)/);
});

t.test('a server that asks for neither is left alone', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.equal(setOnListener(server), false);
});
