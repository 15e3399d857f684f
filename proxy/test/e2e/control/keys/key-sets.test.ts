/** Key sets of a provider, by a local HTTPS server. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { makeCertificate } from '../../../kit/certificates.js';
import { newDirectory } from '../../../kit/holdfast.js';
import { isLog, item, pemOf, publish, rsa, SECRET, SIGNS, start, token } from './keys-fixture.js';

t.test(
  'a key set of a provider, by HTTPS: fetched once, again for a new kid, and not for every unknown one',
  async (t) => {
    const directory = newDirectory(t);
    const authority = makeCertificate({ directory, base: 'ca' });
    const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
    const [first, second] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ed25519')];
    const jwk = ({ publicKey }: { publicKey: KeyObject }, kid: string) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
    });
    const symmetric = { kty: 'oct', kid: 'oct', k: Buffer.from(SIGNS).toString('base64url') };
    const set = [jwk(first, 'one'), symmetric];
    let fetched = 0;
    const provider = createServer({ key, cert }, (_, response) => {
      fetched++;
      response.end(JSON.stringify({ keys: set }));
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    t.teardown(() => void provider.close());
    const jwks = `https://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`;
    const idp = { id: 'idp', jwks, iss: 'https://idp/', aud: 'holdfast' };
    const { holdfast } = await start(t, [
      { ...idp, jwks_ca: authority.certFile },
      { id: 'distrusted', jwks, iss: 'https://distrusted/', aud: 'holdfast' },
    ]);
    const by = (pair: { privateKey: KeyObject }, kid: string, claims: object = {}) => ({
      authorization: `Bearer ${token({ iss: 'https://idp/', aud: 'holdfast', ...claims }, pemOf(pair.privateKey), kid)}`,
    });
    t.match(await publish(holdfast, by(first, 'one'), item()), { status: 200 });
    t.match(await publish(holdfast, by(first, 'one', { jti: '2' }), item()), { status: 200 });
    t.equal(fetched, 1);
    t.match(await publish(holdfast, by(first, 'one', { aud: 'other' }), item()), { status: 401 });
    t.match(await publish(holdfast, by(second, 'one'), item()), { status: 401 });
    const symmetrically = { authorization: `Bearer ${token({ iss: 'https://idp/', aud: 'holdfast' }, SIGNS, 'oct')}` };
    t.match(await publish(holdfast, symmetrically, item()), { status: 401 }, 'a secret in a set is no secret');
    set.push(jwk(second, 'two'));
    for (let i = 0; i < 20; i++) await publish(holdfast, by(second, 'two', { jti: `n${i}` }), item());
    t.equal(fetched, 1, 'not again within 30 s, whatever is unknown');
    t.match(await publish(holdfast, by(first, 'one', { iss: 'https://distrusted/' }), item()), {
      status: 503,
      headers: { 'retry-after': '5' },
    });
    await holdfast.record('of the refusal', (record) => record.jwks === jwks && typeof record.reason === 'string');
  },
);

t.test('a provider that is away, slow, too large or nonsense costs an answer, and no more', async (t) => {
  const directory = newDirectory(t);
  const authority = makeCertificate({ directory, base: 'ca' });
  const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
  const provider = createServer({ key, cert }, (request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/large') response.end(`{"keys":[${' '.repeat(300_000)}]}`);
    else if (request.url === '/moved') response.writeHead(302, { location: '/good' }).end();
    else response.end('<html>');
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    provider.closeAllConnections();
    provider.close();
  });
  const base = `https://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const names = ['slow', 'large', 'moved', 'nonsense'];
  const { holdfast } = await start(t, [
    { id: 'good', key: SECRET },
    ...names.map((id) => ({ id, jwks: `${base}/${id}`, jwks_ca: authority.certFile, iss: id, aud: 'x' })),
  ]);
  for (const id of names) {
    const headers = { authorization: `Bearer ${token({ iss: id, aud: 'x' }, pemOf(rsa.privateKey), 'k')}` };
    const [away, good] = await Promise.all([
      publish(holdfast, headers, item()),
      publish(holdfast, { 'x-api-key': SECRET }, item()),
    ]);
    t.match(away, { status: 503, text: /cannot be fetched/ }, id);
    t.match(good, { status: 200 });
    await holdfast.record(
      id,
      (record) => record.jwks === `${base}/${id}` && isLog('key set cannot be fetched')(record),
    );
  }
});
