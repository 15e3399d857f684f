/** What the node edge alone does with TLS; what every edge does is in `tls.test.ts`. */
import t from 'tap';
import { StreamPiece } from '../../dist/edge/stream-piece.js';
import { head } from './raw-client.js';
import { nodeTls, TlsScene } from './tls-scene.js';
import { until } from './wait.js';

t.test('the default of a port that is replaced is used for new handshakes, without a restart', async (t) => {
  const names = ['DNS:default'];
  const scene = await TlsScene.open(t, nodeTls, (files, port) => files.issue(`default_${port}`, 'old', names));
  t.equal(await scene.shown(undefined), 'old');
  scene.replace(`default_${scene.port}`, 'new', names);
  t.equal(await scene.shown(undefined), 'new');
});

t.test('a default of the port that comes later is used from then on', async (t) => {
  const scene = await TlsScene.open(t, nodeTls);
  await t.rejects(scene.shown(undefined));
  scene.files.issue(`default_${scene.port}`, 'default', ['DNS:default']);
  t.equal(await scene.shown(undefined), 'default');
});

t.test('an answer on TLS that only the close delimits can be aborted', async (t) => {
  const scene = await TlsScene.open(t, nodeTls);
  const { client, taken } = await scene.send(head('GET', '/', [], '1.0'));
  taken.start();
  taken.response.write(Buffer.from('part'));
  await client.receives('part');
  taken.response.abort();
  await client.closed();
  await until(() => scene.scene.edge.connections === 0);
});

t.test('a connection whose answer is held is let go of, and taken up again for the next request', async (t) => {
  const scene = await TlsScene.open(t, nodeTls);
  const client = await scene.connect();
  for (const path of ['/1', '/2', '/3']) {
    void client.write(head('GET', path));
    const { response } = await scene.scene.next();
    if (path !== '/1') response.settle?.();
    response.writeHead({ status: 200, reason: 'OK', headers: [] }, undefined, true);
    response.settle?.();
    response.push(new StreamPiece(Buffer.from(path)));
    response.end();
    t.equal((await client.answer()).body.toString(), path);
  }
  t.equal(scene.scene.edge.connections, 1);
});
