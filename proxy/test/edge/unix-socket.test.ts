import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { resolveOwner } from '../../dist/edge/listening.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { EdgeFixture } from './clause.js';
import { makeNodeEdge } from './node-edge-maker.js';
import { makeUwsEdge } from './uws-edge-maker.js';

const edges = [
  ['node', makeNodeEdge],
  ['uws', makeUwsEdge],
] as const;

/** A path for a socket: short, for the system takes 107 bytes at most. */
function socketPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'edge-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'edge.sock');
}

for (const [edge, make] of edges) {
  t.test(`${edge}: a unix socket is served, with the mode asked for, to clients without an address`, async (t) => {
    const path = socketPath(t);
    const fixture = await EdgeFixture.open(t, make);
    const bound = await fixture.edge.listen({ path, mode: 0o620 });
    t.equal(bound.url, `unix:${path}`);
    t.equal((statSync(path).mode & 0o777).toString(8), '620');
    const client = await RawClient.to(t, { path });
    void client.write(head('GET', '/'));
    const taken = await fixture.next();
    t.equal(taken.request.clientAddress, '');
    taken.answer('served');
    t.equal((await client.answer()).body.toString(), 'served');
  });

  t.test(`${edge}: the owner of a unix socket may be given by name or number`, async (t) => {
    const path = socketPath(t);
    const fixture = await EdgeFixture.open(t, make);
    const { uid, gid } = statSync(dirname(path));
    await fixture.edge.listen({ path, user: String(uid), group: String(gid) });
    t.strictSame([statSync(path).uid, statSync(path).gid], [uid, gid]);
    t.strictSame(resolveOwner('root', 'root'), { uid: 0, gid: 0 });
    t.strictSame(resolveOwner(undefined, undefined), { uid: -1, gid: -1 }, 'left as it is');
    t.throws(() => resolveOwner('no-such-user', undefined), {
      code: 'ERR_EDGE_LISTEN',
      message: 'no such name in /etc/passwd: no-such-user',
    });
  });

  t.test(`${edge}: the file of a socket goes when nobody is accepted any more`, async (t) => {
    const path = socketPath(t);
    const fixture = await EdgeFixture.open(t, make);
    await fixture.edge.listen({ path });
    const client = await RawClient.to(t, { path });
    void client.write(head('GET', '/'));
    const taken = await fixture.next();
    fixture.edge.stopAccepting();
    await until(() => !existsSync(path));
    taken.answer('served');
    t.equal((await client.answer()).body.toString(), 'served', 'who was there before is served');
  });

  t.test(`${edge}: a socket file that a dead process left behind is replaced`, async (t) => {
    const path = socketPath(t);
    leaveBehind(path);
    const fixture = await EdgeFixture.open(t, make);
    await fixture.edge.listen({ path });
    await RawClient.to(t, { path });
  });

  t.test(`${edge}: a unix socket that another process serves is in use`, async (t) => {
    const path = socketPath(t);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    t.teardown(() => other.close());
    const fixture = await EdgeFixture.open(t, make);
    await t.rejects(fixture.edge.listen({ path }), {
      code: 'ERR_EDGE_PORT_IN_USE',
      message: `cannot listen on ${path}: it is in use`,
    });
    await RawClient.to(t, { path });
  });

  t.test(`${edge}: a path that is too long for a unix socket is an error: the system would cut it off`, async (t) => {
    const path = join(dirname(socketPath(t)), 'x'.repeat(107));
    const fixture = await EdgeFixture.open(t, make);
    await t.rejects(fixture.edge.listen({ path }), {
      code: 'ERR_EDGE_LISTEN',
      message: `cannot listen on ${path}: the path is longer than 107 bytes`,
    });
  });

  t.test(`${edge}: a file that is no socket is not removed`, async (t) => {
    const path = socketPath(t);
    writeFileSync(path, 'precious');
    const fixture = await EdgeFixture.open(t, make);
    await t.rejects(fixture.edge.listen({ path }), { code: 'ERR_EDGE_PORT_IN_USE' });
    t.ok(statSync(path).isFile());
  });
}

t.test('node: an answer on a unix socket that only the close delimits can be aborted', async (t) => {
  const path = socketPath(t);
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  await fixture.edge.listen({ path });
  const client = await RawClient.to(t, { path });
  void client.write(head('GET', '/', [], '1.0'));
  const taken = await fixture.next();
  taken.start();
  taken.response.write(Buffer.from('part'));
  await client.receives('part');
  taken.response.abort();
  await client.closed();
});

/** Makes a socket file that nobody serves, as a process that was killed does. */
function leaveBehind(path: string): void {
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', script, path]);
  } catch {
    // It was killed.
  }
}
