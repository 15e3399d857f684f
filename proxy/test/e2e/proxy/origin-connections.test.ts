/** Connections that are kept to origins: how old they get, and what becomes of a request whose connection closes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';

/** An origin that says by which method it was asked, and how many connections it has had. `quiet`: not how long it keeps them. */
async function start(t: Test, { quiet = false } = {}): Promise<{ target: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server: Server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    // It says then that the connection is kept, and not how long.
    if (quiet) response.setHeader('Connection', 'keep-alive').setHeader('Keep-Alive', '');
    request.resume().on('end', () => response.end(`${request.method} ${count}`));
  });
  server.on('connection', (socket) => {
    count++;
    sockets.add(socket.on('close', () => sockets.delete(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { target: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

t.test('requests of any method survive that the origin closes its idle connections', async (t) => {
  const origin = await start(t);
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  for (let round = 1; round <= 10; round++) {
    const method = round % 2 === 0 ? 'GET' : 'POST';
    const answer = await ask(t, `${holdfast.clients}/`, { method, ...(method === 'POST' && { body: 'x' }) });
    t.match(answer, { status: 200, text: `${method} ${round}` });
    for (const socket of origin.sockets) socket.destroy();
    await until('the end of the connections', () => origin.sockets.size === 0);
  }
});

t.test('an idle connection is closed before usual origins do it', async (t) => {
  const origin = await start(t, { quiet: true });
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200 });
  const since = performance.now();
  await until('the end of the connection', () => origin.sockets.size === 0);
  t.ok(performance.now() - since > 2_000, 'it was kept for a while');
  t.ok(performance.now() - since < 25_000, 'but not for a minute, on the slowest of machines');
});

t.test('a connection that has reached its age is replaced, without a request that fails', async (t) => {
  const origin = await start(t);
  const settings = { origin_connection_max_age: 1, origin_keep_alive_timeout: 60 };
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  const seen = new Set<string>();
  await until('a second connection', async () => {
    const answer = await ask(t, `${holdfast.clients}/`);
    t.equal(answer.status, 200);
    seen.add(answer.text);
    return seen.has('GET 2');
  });
  t.ok(seen.has('GET 1'));
});
