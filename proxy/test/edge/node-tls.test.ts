/** What the node edge alone does with TLS; what every edge does is in `tls.test.ts`. */
import t from 'tap';
import { StreamPiece } from '../../dist/edge/port.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { NAME, nodeTls, TlsFixture } from './tls-fixture.js';

t.test('the default of a port that is replaced is used for new handshakes, without a restart', async (t) => {
  const names = ['DNS:default'];
  const fixture = await TlsFixture.open(t, nodeTls, (files, port) => files.issue(`default_${port}`, 'old', names));
  t.equal(await fixture.shown(undefined), 'old');
  fixture.replace(`default_${fixture.port}`, 'new', names);
  t.equal(await fixture.shown(undefined), 'new');
});

t.test('a default of the port that comes later is used from then on', async (t) => {
  const fixture = await TlsFixture.open(t, nodeTls);
  await t.rejects(fixture.shown(undefined));
  fixture.files.issue(`default_${fixture.port}`, 'default', ['DNS:default']);
  t.equal(await fixture.shown(undefined), 'default');
});

t.test('a handshake that is not complete in the time for a head is broken off', async (t) => {
  const fixture = await TlsFixture.open(t, nodeTls, () => {}, { clientHeaderTimeout: 300 });
  const silent = await RawClient.to(t, { port: fixture.port });
  const slow = await RawClient.to(t, { port: fixture.port });
  // The beginning of a ClientHello, one byte at a time: more than there is time for.
  const hello = Buffer.from([0x16, 0x03, 0x01, 0x00, 0xc8, 0x01, 0x00, 0x00, 0xc4, 0x03, 0x03, ...Array(160).fill(0)]);
  let sent = 0;
  const timer = setInterval(() => void slow.write(hello.subarray(sent, ++sent)), 20);
  t.teardown(() => clearInterval(timer));
  await Promise.all([silent.closed(), slow.closed()]);
  t.ok(sent < hello.length, 'bytes that come do not prolong it');
  t.equal(await fixture.shown(NAME), NAME, 'others are served');
});

t.test('an answer on TLS that only the close delimits can be aborted', async (t) => {
  const fixture = await TlsFixture.open(t, nodeTls);
  const { client, taken } = await fixture.send(head('GET', '/', [], '1.0'));
  taken.start();
  taken.response.write(Buffer.from('part'));
  await client.receives('part');
  taken.response.abort();
  await client.closed();
  await until(() => fixture.plain.edge.connections === 0);
});

t.test('a connection whose answer is held is let go of, and taken up again for the next request', async (t) => {
  const fixture = await TlsFixture.open(t, nodeTls);
  const client = await fixture.connect();
  for (const path of ['/1', '/2', '/3']) {
    void client.write(head('GET', path));
    const { response } = await fixture.plain.next();
    if (path !== '/1') response.goIdle?.();
    response.writeHead({ status: 200, reason: 'OK', headers: [] }, undefined, true);
    response.goIdle?.();
    response.push(new StreamPiece(Buffer.from(path)));
    response.end();
    t.equal((await client.answer()).body.toString(), path);
  }
  t.equal(fixture.plain.edge.connections, 1);
});
