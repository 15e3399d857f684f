/** Direct subscription by tokens of a provider, whose keys are fetched: what waits for them, and what goes on. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readJwtKey } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { bearer, now } from './tokens.js';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** As the provider signs it. */
const token = (claims: object): string =>
  readJwtKey(pem).sign({ iss: 'https://idp/', sub: 'u', channels: ['a'], exp: now() + 60, ...claims }, 'one');

/** A provider, whose answers a test may keep back, and a node that trusts it. */
async function start(t: Test) {
  const directory = newDirectory(t);
  const authority = makeCertificate({ directory, base: 'ca' });
  const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
  const set = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'one' }] };
  const waiting: (() => void)[] = [];
  const provider = createServer({ key, cert }, (_request, response) => {
    waiting.push(() => response.end(JSON.stringify(set)));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    provider.closeAllConnections();
    provider.close();
  });
  const { port } = provider.address() as AddressInfo;
  const properties = `token_jwks=https://127.0.0.1:${port}/set,token_jwks_ca=${authority.certFile},token_iss=https://idp/`;
  const holdfast = await startHoldfast(t, { routes: [`* subscribe,${properties},public_channels=news`] });
  return { holdfast, provider, waiting };
}

t.test('clients wait until the keys are there, and are judged by them; they are fetched once', async (t) => {
  const { holdfast, provider, waiting } = await start(t);
  const fetched = new Promise((resolve) => provider.once('request', resolve));
  const url = `${holdfast.clients}/?channel=a`;
  const stream = open(t, url, { headers: bearer(token({})) });
  const socket = openWs(t, wsUrl(holdfast.clients, '/?channel=a'), { headers: bearer(token({})) });
  const others = [{ channels: ['b'] }, { iss: 'https://another/' }].map((claims) =>
    open(t, url, { headers: bearer(token(claims)) }),
  );
  await fetched;
  t.equal((await open(t, `${holdfast.clients}/?channel=news`)).status, 200, 'who needs no key does not wait');
  t.equal(waiting.length, 1);
  waiting[0]?.();
  t.strictSame(await Promise.all(others.map(async (answer) => (await answer).status)), [403, 401]);
  const held = await stream;
  const client = await socket;
  client.send(JSON.stringify({ token: token({ channels: ['a', 'c'] }), subscribe: ['c'] }));
  t.equal(await client.text(), '{"holdfast":"ok","subscribed":["c"]}');
  await holdfast.publish(streamItem('a', 'data: 1\n\n'), { channel: 'c', formats: { 'ws-message': { content: '2' } } });
  await held.until('data: 1\n\n');
  t.equal(await client.text(), '2');
  t.equal(waiting.length, 1);
});

t.test('while they cannot be had: 503, and an error for a frame, whose session goes on', async (t) => {
  const { holdfast, provider } = await start(t);
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
  const refused = await open(t, `${holdfast.clients}/?channel=a`, { headers: bearer(token({})) });
  t.match(refused, { status: 503, headers: { 'retry-after': '5' } });
  const client = await openWs(t, wsUrl(holdfast.clients, '/?channel=news'));
  client.send(JSON.stringify({ token: token({}), id: 1 }));
  client.send(JSON.stringify({ unsubscribe: ['news'], id: 2 }));
  t.equal(await client.text(), '{"holdfast":"error","error":"unavailable","id":1}');
  t.equal(await client.text(), '{"holdfast":"ok","unsubscribed":["news"],"id":2}');
  t.notMatch(holdfast.child.stdout, pem.split('\n')[1] as string);
});
