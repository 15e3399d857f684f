/** What the origin gets about the client: its address, scheme and certificate. */
import t from 'tap';
import { countsAsSecure } from '../../dist/origin/headers.js';
import { NO_RULES, section } from './forward-rules.js';

const forwarded = ['X-Forwarded-Proto', 'https', 'x-forwarded-protocol', 'https'];

section('X-Forwarded-Proto', [
  { says: 'passes when neither accepted nor set', headers: forwarded, gets: forwarded },
  { says: 'is removed where it is accepted', headers: forwarded, rules: { acceptXForwardedProtocol: true }, gets: [] },
  {
    says: 'is removed from plain requests where it is set',
    headers: forwarded,
    rules: { setXForwardedProtocol: 'true' },
    gets: [],
  },
  {
    says: 'both forms are set on secure requests',
    headers: ['X-Forwarded-Proto', 'http', 'A', '1'],
    request: { secure: true },
    rules: { setXForwardedProtocol: 'true' },
    gets: ['A', '1', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Protocol', 'https'],
  },
  {
    says: 'proto-only sets the one form',
    request: { secure: true },
    rules: { setXForwardedProtocol: 'proto-only' },
    gets: ['X-Forwarded-Proto', 'https'],
  },
  { says: 'accepting does not set', request: { secure: true }, rules: { acceptXForwardedProtocol: true }, gets: [] },
]);

const chain = ['X-Forwarded-For', 'a,b', 'A', '1', 'x-forwarded-for', ' c '];

section('X-Forwarded-For', [
  {
    says: 'with an empty rule it is made one field, and moved to the end',
    headers: chain,
    gets: ['A', '1', 'X-Forwarded-For', 'a, b, c'],
  },
  { says: 'an empty one is left out', headers: ['X-Forwarded-For', ' , '], gets: [] },
  {
    says: 'append adds the client’s address',
    headers: chain,
    rules: { xForwardedFor: { append: true } },
    gets: ['A', '1', 'X-Forwarded-For', 'a, b, c, 192.0.2.1'],
  },
  {
    says: 'append adds nothing for a client on a unix socket',
    headers: chain,
    request: { clientAddress: '' },
    rules: { xForwardedFor: { append: true } },
    gets: ['A', '1', 'X-Forwarded-For', 'a, b, c'],
  },
  {
    says: 'truncate keeps the last ones',
    headers: chain,
    rules: { xForwardedFor: { truncate: 2, append: false } },
    gets: ['A', '1', 'X-Forwarded-For', 'b, c'],
  },
  {
    says: 'truncate:0 keeps none, and with append the client’s address only',
    headers: chain,
    rules: { xForwardedFor: { truncate: 0, append: true } },
    gets: ['A', '1', 'X-Forwarded-For', '192.0.2.1'],
  },
  {
    says: 'truncate:0 without append removes the field',
    headers: chain,
    rules: { xForwardedFor: { truncate: 0, append: false } },
    gets: ['A', '1'],
  },
  {
    says: 'truncate longer than the chain keeps all',
    headers: chain,
    rules: { xForwardedFor: { truncate: 9, append: false } },
    gets: ['A', '1', 'X-Forwarded-For', 'a, b, c'],
  },
  {
    says: 'trusted clients have a rule of their own',
    headers: chain,
    request: { trusted: true },
    rules: { xForwardedFor: { truncate: 0, append: false }, xForwardedForTrusted: { append: true } },
    gets: ['A', '1', 'X-Forwarded-For', 'a, b, c, 192.0.2.1'],
  },
]);

const ours = { ownsClientCert: true };
const CERT = 'QUJD';

section('the certificate of the client (RFC 9440)', [
  {
    says: 'where clients are asked for none, fields of that name pass',
    headers: ['Client-Cert', ':x:', 'Client-Cert-Chain', ':y:'],
    request: { clientCertificate: CERT },
    gets: ['Client-Cert', ':x:', 'Client-Cert-Chain', ':y:'],
  },
  {
    says: 'it is a byte sequence, and replaces what the client says',
    headers: ['client-cert', ':x:', 'A', '1', 'Client-Cert', ':y:', 'Client-Cert-Chain', ':z:'],
    request: { clientCertificate: CERT },
    rules: ours,
    gets: ['A', '1', 'Client-Cert', ':QUJD:'],
  },
  {
    says: 'a client without one cannot say that it has one, in any spelling',
    headers: [
      'CLIENT-CERT',
      'x',
      'Client_Cert',
      'x',
      'client.cert-chain',
      'x',
      'Client-Certs',
      '1',
      'X-Client-Cert',
      '2',
    ],
    rules: ours,
    gets: ['Client-Certs', '1', 'X-Client-Cert', '2'],
  },
  {
    says: 'nor by orig_headers, which marks only what is kept',
    headers: ['Client-Cert', 'x', 'A', '1'],
    request: { origHeaders: true, clientCertificate: CERT },
    rules: ours,
    gets: ['A', '1', 'eb9bf0f5-A', '1', 'Client-Cert', ':QUJD:'],
  },
  {
    says: 'a name in Connection does not take it off',
    headers: ['Connection', 'Client-Cert'],
    request: { clientCertificate: CERT },
    rules: ours,
    gets: ['Client-Cert', ':QUJD:'],
  },
  {
    says: 'a route may set or remove the field',
    request: { clientCertificate: CERT, routeHeaders: [['Client-Cert', '']] },
    rules: ours,
    gets: [],
  },
  {
    says: 'a trusted proxy speaks for its own clients',
    headers: ['Client-Cert', ':x:'],
    request: { trusted: true, speaksGrip: false, clientCertificate: CERT },
    rules: ours,
    gets: ['Client-Cert', ':x:'],
  },
]);

t.test('what counts as a secure client', async (t) => {
  const rules = { ...NO_RULES, acceptXForwardedProtocol: true };
  t.equal(countsAsSecure([], true, NO_RULES), true, 'TLS');
  t.equal(countsAsSecure(['X-Forwarded-Proto', 'https'], false, NO_RULES), false, 'a word that is not believed');
  t.equal(countsAsSecure(['X-Forwarded-Proto', 'https'], false, rules), true);
  t.equal(countsAsSecure(['x-forwarded-protocol', 'wss'], false, rules), true);
  t.equal(
    countsAsSecure(['X-Forwarded-Proto', 'http', 'X-Forwarded-Protocol', 'https'], false, rules),
    false,
    'Proto first',
  );
  t.equal(countsAsSecure(['X-Forwarded-Proto', 'HTTPS'], false, rules), false, 'exactly');
  t.equal(countsAsSecure(['X-Forwarded-Proto', 'http'], true, rules), true, 'TLS is TLS');
});

section('X-Forwarded-For of a client behind trusted proxies', [
  {
    says: 'the last of them is appended',
    headers: ['X-Forwarded-For', '192.0.2.1, 10.1.1.1'],
    request: { hops: ['10.1.1.1', '10.0.0.1'] },
    rules: { xForwardedFor: { append: true } },
    gets: ['X-Forwarded-For', '192.0.2.1, 10.1.1.1, 10.0.0.1'],
  },
  {
    says: 'the client where everything else is cut off',
    headers: ['X-Forwarded-For', '192.0.2.1, 10.1.1.1'],
    request: { hops: ['10.1.1.1', '10.0.0.1'] },
    rules: { xForwardedFor: { truncate: 0, append: true } },
    gets: ['X-Forwarded-For', '192.0.2.1'],
  },
  {
    says: 'as it is where the rule is empty',
    headers: ['X-Forwarded-For', '192.0.2.1'],
    request: { hops: ['10.0.0.1'] },
    gets: ['X-Forwarded-For', '192.0.2.1'],
  },
]);

section('Forwarded (RFC 7239)', [
  {
    says: 'says who the client is, and what it asked for',
    rules: { setForwarded: true },
    gets: ['Forwarded', 'for=192.0.2.1;host="api.example";proto=http'],
  },
  {
    says: 'replaces what the client says',
    headers: ['Forwarded', 'for=1.1.1.1'],
    request: { secure: true, clientAddress: '2001:db8::7', clientHost: '' },
    rules: { setForwarded: true },
    gets: ['Forwarded', 'for="[2001:db8::7]";proto=https'],
  },
  {
    says: 'names the trusted proxies on the way',
    request: { hops: ['10.1.1.1', ''] },
    rules: { setForwarded: true },
    gets: ['Forwarded', 'for=192.0.2.1;host="api.example";proto=http, for=10.1.1.1, for=unknown'],
  },
  {
    says: 'passes where it is not set here',
    headers: ['Forwarded', 'for=1.1.1.1'],
    gets: ['Forwarded', 'for=1.1.1.1'],
  },
]);
