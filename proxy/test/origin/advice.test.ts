/** From the errors of the system and of TLS to what an operator can do. The commonest are made for real in e2e/operation/mistakes-origin. */
import t from 'tap';
import { blockedError, noDescriptorError, OriginError } from '../../dist/errors.js';
import { adviceOn, rootCode } from '../../dist/origin/advice.js';
import type { HttpTarget } from '../../dist/routes/target.js';

const patience = { originConnectTimeout: 10_000, originTimeout: 1_800_000 };
const target = { kind: 'http', host: '::1', port: 443, ssl: true, subs: [] } as unknown as HttpTarget;

function connecting(code: string, message = 'said'): string {
  const cause = Object.assign(new Error(message), { code });
  return adviceOn(new OriginError('ERR_ORIGIN_CONNECT', message, 'connect', { cause }), target, patience);
}

for (const [code, says] of [
  ['ECONNREFUSED', /^connection refused: is the origin running on \[::1\]:443\? \(ECONNREFUSED\)$/],
  ['ENOTFOUND', /^its name is unknown: is it spelled right in the route/],
  ['EAI_AGAIN', /^its name cannot be looked up now/],
  ['EHOSTUNREACH', /^there is no way to \[::1\]:443/],
  ['ETIMEDOUT', /^no connection within 10 s \(origin_connect_timeout\): is \[::1\]:443 right/],
  ['UND_ERR_CONNECT_TIMEOUT', /^no connection within 10 s \(origin_connect_timeout\)/],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    /^its certificate is not trusted: .*NODE_EXTRA_CA_CERTS .*\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  ],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /^its certificate is not trusted: /],
  ['CERT_HAS_EXPIRED', /^its certificate has expired/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /^its certificate is for other names: .*host= .*trust_connect_host/],
  ['EPROTO', /remove ssl from the target \(EPROTO\)$/],
  ['ESOMETHING', /^said$/],
] as const) {
  t.test(code, async (t) => t.match(connecting(code), says));
}

t.test('a WebSocket that does not connect in time', async (t) => {
  const error = new OriginError('ERR_ORIGIN_CONNECT', 'connecting timed out', 'connect');
  t.match(adviceOn(error, target, patience), /^no connection within 10 s \(origin_connect_timeout\)/);
});

t.test('what is not of connecting', async (t) => {
  const timeout = new OriginError('ERR_ORIGIN_TIMEOUT', 'x', 'no');
  t.match(adviceOn(timeout, target, patience), /silent for 1800 s \(origin_timeout\)/);
  t.match(adviceOn(blockedError(), target, patience), /untrusted, and its address is private: remove untrusted/);
  t.match(adviceOn(noDescriptorError(), target, patience), /No file descriptor is left/);
});

t.test('the code at the bottom counts, and causes that go round end', async (t) => {
  const inner = Object.assign(new Error('inner'), { code: 'EINNER' });
  const outer = Object.assign(new Error('outer', { cause: inner }), { code: 'EOUTER' });
  t.equal(rootCode(new Error('x', { cause: outer })), 'EINNER');
  const round = Object.assign(new Error('round'), { code: 'EROUND' });
  round.cause = round;
  t.equal(rootCode(round), 'EROUND');
});
