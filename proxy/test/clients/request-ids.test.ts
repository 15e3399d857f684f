/** Whose ids are taken over: the end-to-end tests have those of trusted proxies. */
import t from 'tap';
import { RequestIds } from '../../dist/clients/request-ids.js';
import { TrustedProxies } from '../../dist/clients/trusted-proxies.js';
import type { ClientRequest } from '../../dist/edge/port.js';

const request = (clientAddress: string, headers: readonly string[]): ClientRequest => ({
  id: '1',
  method: 'GET',
  path: '/',
  host: 'api.example',
  version: '1.1',
  headers: [...headers],
  secure: false,
  clientAddress,
  body: undefined,
});

const proxies = new TrustedProxies({ trustedProxies: ['10.0.0.0/8', 'unix'], trustedProxyFields: 'auto' });
const ids = new RequestIds('X-Request-Id', { requestIdResponse: false }, proxies);
const NAMED = ['X-Request-Id', 'from-before'];

t.test('that of a proxy that signs with our key', async (t) => {
  t.equal(ids.identify(request('192.0.2.1', NAMED), true).requestId, 'from-before');
  t.equal(
    new RequestIds('x-request-id', { requestIdResponse: false }).identify(request('', NAMED), true).requestId,
    'from-before',
  );
});

t.test('that of a trusted proxy, with and without a client behind it, and on a unix socket', async (t) => {
  for (const [peer, headers] of [
    ['10.0.0.1', NAMED],
    ['', NAMED],
    ['10.0.0.1', [...NAMED, 'X-Forwarded-For', '192.0.2.1']],
  ] as const) {
    t.equal(ids.identify(proxies.identify(request(peer, headers)), false).requestId, 'from-before');
  }
});

t.test('not that of a client that says it came through one', async (t) => {
  const claims = [...NAMED, 'X-Forwarded-For', '10.0.0.1'];
  t.not(ids.identify(proxies.identify(request('192.0.2.1', claims)), false).requestId, 'from-before');
  t.not(ids.identify(request('', NAMED), false).requestId, undefined);
  const nobody = new RequestIds('X-Request-Id', { requestIdResponse: false });
  t.not(nobody.identify(request('10.0.0.1', NAMED), false).requestId, 'from-before');
});

t.test('each request that has none gets another', async (t) => {
  const [one, other] = [1, 2].map(() => ids.identify(request('192.0.2.1', []), false).requestId);
  t.not(one, other);
});
