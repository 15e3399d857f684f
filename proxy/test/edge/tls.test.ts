/** TLS as every edge has it: certificates by server name, and requests. What only the node edge does: `node-tls.test.ts`. */
import { rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { NAME, TlsFixture, tlsEdges } from './tls-fixture.js';

for (const edge of tlsEdges) {
  t.test(
    `${edge.name}: the certificate is chosen by server name: exact, then wildcard of the parent, then the port’s default`,
    async (t) => {
      const fixture = await TlsFixture.open(t, edge, (files, port) => {
        files.issue('api.example.com', 'exact', ['DNS:api.example.com']);
        files.issue('_.example.com', 'wildcard', ['DNS:*.example.com']);
        files.issue('default_1', 'other port', ['DNS:x']);
        files.issue(`default_${port}`, 'default', ['DNS:default']);
      });
      t.equal(await fixture.shown('www.example.com'), 'wildcard');
      t.equal(await fixture.shown('api.example.com'), 'exact', 'also when its parent was asked for before');
      t.equal(await fixture.shown('API.Example.COM'), 'exact', 'without regard to case');
      t.equal(await fixture.shown('WWW.example.com'), 'wildcard', 'nor here');
      t.equal(await fixture.shown('a.b.example.com'), 'default', 'a wildcard is for one label');
      t.equal(await fixture.shown('example.com'), 'default');
      t.equal(await fixture.shown('localhost'), 'default');
      t.equal(await fixture.shown(undefined), 'default', 'a client that gives no name');
    },
  );

  t.test(
    `${edge.name}: without a certificate for a client its handshake fails, and the listener goes on`,
    async (t) => {
      const fixture = await TlsFixture.open(t, edge);
      await t.rejects(fixture.shown('b.example'));
      await t.rejects(fixture.shown(undefined));
      t.equal(await fixture.shown(NAME), NAME);
    },
  );

  t.test(`${edge.name}: a server name that is no host name gets the default certificate`, async (t) => {
    const fixture = await TlsFixture.open(t, edge, (files, port) => {
      files.issue('_.example.com', 'wildcard', ['DNS:*.example.com']);
      files.issue(`default_${port}`, 'default', ['DNS:default']);
    });
    const long = 'x'.repeat(63);
    const names = [
      ...['x'.repeat(255), 'x'.repeat(64), `${long}.${long}.${long}.${long}`, `${'x'.repeat(64)}.example.com`],
      ...['..', 'a/b', '../authority', `default_${fixture.port}`, '_.example.com', 'a_b.example.com', '*.example.com'],
    ];
    for (const name of names) t.equal(await fixture.shown(name), 'default', name);
    t.equal(await fixture.shown('a.example.com'), 'wildcard');
    t.strictSame(fixture.faults, []);
  });

  t.test(`${edge.name}: a name whose certificate comes later is served from then on`, async (t) => {
    const fixture = await TlsFixture.open(t, edge, (files) =>
      files.issue('_.c.example', 'wildcard', ['DNS:*.c.example']),
    );
    await t.rejects(fixture.shown('b.example'));
    t.equal(await fixture.shown('x.c.example'), 'wildcard');
    fixture.replace('b.example', 'later', ['DNS:b.example']);
    fixture.replace('x.c.example', 'exact', ['DNS:x.c.example']);
    fixture.notice();
    t.equal(await fixture.shown('b.example'), 'later');
    t.equal(await fixture.shown('x.c.example'), 'exact', 'though the wildcard has served it before');
    t.equal(await fixture.shown('y.c.example'), 'wildcard');
  });

  t.test(`${edge.name}: a certificate that is replaced is used for new handshakes, without a restart`, async (t) => {
    const fixture = await TlsFixture.open(t, edge, (files) => files.issue('_.c.example', 'old', ['DNS:*.c.example']));
    const { client, taken } = await fixture.send(head('GET', '/'));
    taken.answer('before');
    t.equal((await client.answer()).body.toString(), 'before');
    t.equal(await fixture.shown('x.c.example'), 'old');
    fixture.replace(NAME, 'new', [`DNS:${NAME}`]);
    fixture.replace('_.c.example', 'new wildcard', ['DNS:*.c.example']);
    fixture.notice();
    t.equal(await fixture.shown(NAME), 'new');
    t.equal(await fixture.shown('x.c.example'), 'new wildcard');
    void client.write(head('GET', '/'));
    (await fixture.plain.next()).answer('after');
    t.equal((await client.answer()).body.toString(), 'after', 'a connection from before goes on');
  });

  t.test(`${edge.name}: a replacement that cannot be used is reported, and the certificate before stays`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const file = join(fixture.files.directory, `${NAME}.crt`);
    t.equal(await fixture.shown(NAME), NAME);
    writeFileSync(file, 'no PEM at all');
    fixture.notice();
    t.equal(await fixture.shown(NAME), NAME);
    t.match(fixture.faults, [/^ERR_EDGE_CERTIFICATE cannot use .*a\.example\.crt: ./]);
    fixture.notice();
    t.equal(await fixture.shown(NAME), NAME);
    t.equal(fixture.faults.length, 1, 'one report for one change');
    rmSync(file);
    fixture.notice();
    t.equal(await fixture.shown(NAME), NAME, 'nor does a removal');
    fixture.replace(NAME, 'better', [`DNS:${NAME}`]);
    fixture.notice();
    t.equal(await fixture.shown(NAME), 'better');
  });

  t.test(`${edge.name}: a request on a TLS connection is secure, and verified by its name`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const { client, taken } = await fixture.send(head('GET', '/'));
    t.equal(taken.request.secure, true);
    t.equal(taken.request.clientAddress, '127.0.0.1');
    taken.answer('served');
    t.equal((await client.answer()).body.toString(), 'served');
    void client.write(head('GET', '/'));
    (await fixture.plain.next()).answer('again');
    t.equal((await client.answer()).body.toString(), 'again', 'the connection is kept');
  });

  t.test(`${edge.name}: malformed requests on TLS are refused with a text`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    for (const [expected, bytes, text] of [
      [400, head('G@T', '/'), /./],
      [431, head('GET', '/', [`X-Long: ${'x'.repeat(17_000)}`]), /exceeded limit of 16384 bytes/],
    ] as const) {
      const client = await fixture.connect();
      void client.write(bytes);
      const { status, body } = await client.answer();
      t.equal(status, expected);
      t.match(body.toString(), text);
      await client.closed();
    }
    t.equal(fixture.plain.handler.count, 0);
  });

  t.test(`${edge.name}: a plain request to a TLS listener harms nobody`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const plain = await RawClient.to(t, { port: fixture.port });
    void plain.write(head('GET', '/'));
    await plain.closed();
    t.equal(await fixture.shown(NAME), NAME);
    t.equal(fixture.plain.handler.count, 0);
  });

  t.test(`${edge.name}: close cuts TLS connections, and does not wait for handshakes that are under way`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const silent = connectPlain(fixture.port, '127.0.0.1');
    const closed = new Promise<void>((resolve) =>
      silent
        .once('close', () => resolve())
        .on('error', () => {})
        .resume(),
    );
    await new Promise((resolve) => silent.once('connect', resolve));
    const { client } = await fixture.send(head('GET', '/'));
    await fixture.plain.edge.close();
    await closed;
    await client.closed();
    await until(() => fixture.plain.edge.connections === 0);
  });
}

t.test('a server name cannot reach outside the directory', async (t) => {
  const [edge] = tlsEdges;
  const { files } = await TlsFixture.open(t, edge as (typeof tlsEdges)[number]);
  files.issue('default_443', 'default', ['DNS:default']);
  const certificates = new TlsCertificates(join(files.directory, 'none'), () => {});
  for (const name of ['../authority', '.', '..', '/authority', 'a/../../authority', '']) {
    t.equal(certificates.find(name, 443), undefined, JSON.stringify(name));
  }
});
