import { createServer } from 'node:net';
import t from 'tap';
import { loadUws } from '../../../dist/edge/uws/library.js';
import { freePort } from '../../kit/ports.js';
import { EdgeFixture } from '../clause.js';
import { makeUwsEdge, uwsEdge } from '../uws-edge-maker.js';

const missing = (loadable: Record<string, unknown>) =>
  ((name: string) => {
    if (name in loadable) return loadable[name];
    throw new Error(`Cannot find module '${name}'\nRequire stack: …`);
  }) as NodeJS.Require;

t.test('without a binary the start fails, and says what to install', async (t) => {
  const binary = `@uwsjs/${process.platform}-${process.arch}-${process.versions.node.split('.')[0]}`;
  t.throws(() => loadUws(1, missing({})), {
    code: 'ERR_EDGE_UNAVAILABLE',
    message: new RegExp(`^edge uws: no binary .* install uWebSockets\\.js or ${binary}, or use edge: node [^\\n]+$`),
  });
});

t.test('a C library that is too old for the binary is said so, with both versions', async (t) => {
  const require = ((name: string) => {
    if (name === 'uWebSockets.js') throw new Error(`Cannot find module '${name}'`);
    throw new Error("/lib/libc.so.6: version `GLIBC_2.38' not found (required by uws.node)");
  }) as unknown as NodeJS.Require;
  t.throws(() => loadUws(1, require), {
    code: 'ERR_EDGE_UNAVAILABLE',
    message: /needs glibc 2\.38, and this system has [\d.]+: use a newer system, node 20 or 22, or edge: node \(/,
  });
});

t.test('the library under its own name comes first', async (t) => {
  const silenced: string[] = [];
  const library = (name: string) => ({ name, _cfg: (what: string) => silenced.push(what) });
  const binary = `@uwsjs/${process.platform}-${process.arch}-${process.versions.node.split('.')[0]}`;
  t.match(loadUws(1, missing({ 'uWebSockets.js': library('official'), [binary]: library('binary') })), {
    name: 'official',
  });
  t.match(loadUws(1, missing({ [binary]: library('binary') })), { name: 'binary' });
  t.strictSame(silenced, ['silent', 'silent']);
});

t.test('uws: a port that is taken is an error that names the address, unless ports are shared', async (t) => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  t.teardown(() => squatter.close());
  const { port } = squatter.address() as { port: number };
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  await t.rejects(fixture.edge.listen({ host: '127.0.0.1', port }), {
    code: 'ERR_EDGE_PORT_IN_USE',
    message: `cannot listen on 127.0.0.1:${port}: it is in use`,
  });
  await t.rejects(fixture.edge.listen({ host: '127.0.0.1', port: fixture.port }), { code: 'ERR_EDGE_PORT_IN_USE' });
  await t.rejects(fixture.edge.listen({ host: '192.0.2.1', port: 1 }), { code: 'ERR_EDGE_LISTEN' });
  const shared = await EdgeFixture.open(t, (surroundings) => uwsEdge(surroundings, { sharesPorts: true }));
  const bound = await shared.edge.listen({ host: '127.0.0.1', port: await freePort() });
  const second = uwsEdge(shared, { sharesPorts: true });
  t.teardown(() => second.close());
  t.equal((await second.listen({ host: '127.0.0.1', port: bound.port as number })).port, bound.port);
});
