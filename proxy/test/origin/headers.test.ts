import t from 'tap';
import { countsAsSecure, type ForwardedRequest, type ForwardRules, requestHeaders } from '../../dist/origin/headers.js';
import { NO_RULES } from './forward-rules.js';

const REQUEST: ForwardedRequest = {
  headers: [],
  clientAddress: '192.0.2.1',
  clientHost: 'api.example',
  host: 'origin.example',
  secure: false,
  websocket: false,
  trusted: false,
  routeHeaders: [],
  origHeaders: false,
  speaksGrip: true,
  grip: [],
};

/** One rule: what a client sent under which settings, and what the origin gets after `Host`. */
interface Rule {
  readonly says: string;
  readonly headers?: readonly string[];
  readonly request?: Partial<ForwardedRequest>;
  readonly rules?: Partial<ForwardRules>;
  readonly gets: readonly string[];
}

function section(name: string, rules: readonly Rule[]): void {
  t.test(name, async (t) => {
    for (const { says, headers = [], request, rules: over, gets } of rules) {
      t.test(says, async (t) => {
        const made = requestHeaders({ ...REQUEST, headers, ...request }, { ...NO_RULES, ...over });
        t.strictSame(made, ['Host', request?.host ?? REQUEST.host, ...gets]);
      });
    }
  });
}

const always = [
  'Connection',
  'Keep-Alive',
  'Transfer-Encoding',
  'Expect',
  'Proxy-Connection',
  'Proxy',
  'Upgrade',
  'HTTP2-Settings',
];

section('fields of the hop', [
  {
    says: 'order, case and duplicates are kept',
    headers: ['b', '1', 'A', '2', 'B', '3'],
    gets: ['b', '1', 'A', '2', 'B', '3'],
  },
  {
    says: 'Host comes first, with the target’s value',
    headers: ['A', '1', 'host', 'x', 'B', '2'],
    gets: ['A', '1', 'B', '2'],
  },
  ...always.flatMap((name) =>
    [name, name.toLowerCase()].map((form) => ({
      says: `${form} is removed`,
      headers: ['A', '1', form, 'x', 'B', '2'],
      gets: ['A', '1', 'B', '2'],
    })),
  ),
  {
    says: 'a body that is compressed keeps its Content-Encoding and its length',
    headers: ['Content-Encoding', 'gzip', 'Content-Length', '5', 'Content-Type', 'a/b'],
    gets: ['Content-Encoding', 'gzip', 'Content-Length', '5', 'Content-Type', 'a/b'],
  },
  {
    says: 'the codings that the client takes go to the origin, all of them and with their weights',
    headers: ['Accept-Encoding', 'gzip;q=0.5, br', 'accept-encoding', 'zstd'],
    gets: ['Accept-Encoding', 'gzip;q=0.5, br', 'accept-encoding', 'zstd'],
  },
  {
    says: 'cookies, authorization, conditions, ranges and Trailer pass',
    headers: ['Cookie', 'a', 'Authorization', 'b', 'If-None-Match', 'c', 'Range', 'd', 'Trailer', 'f'],
    gets: ['Cookie', 'a', 'Authorization', 'b', 'If-None-Match', 'c', 'Range', 'd', 'Trailer', 'f'],
  },
  {
    says: 'transfer codings that the client takes are of its hop',
    headers: ['TE', 'gzip, trailers', 'te', 'deflate'],
    gets: [],
  },
  {
    says: 'trailers are asked for where they can be passed on',
    headers: ['Connection', 'TE', 'TE', 'gzip, trailers'],
    request: { takesTrailers: true },
    gets: ['TE', 'trailers'],
  },
]);

/** Names with hyphens of which a client may send no other spelling. */
const owned = [
  ...always,
  ...['Grip-Sig', 'Grip-Hold', 'Grip-Last', 'Meta-User', 'Connection-Id', 'Content-Bytes-Replayed'],
  ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Protocol', 'X-Forwarded-Host', 'Content-Length'],
  ...['Content-Type', 'Sec-WebSocket-Extensions', 'CDN-Loop', 'Pushpin-Route', 'eb9bf0f5-Cookie'],
].filter((name) => name.includes('-'));

section('names that an origin cannot tell from those of the proxy', [
  ...owned.flatMap((name) =>
    ['_', '.', '~', '+', '|'].map((separator) => ({
      says: `${name} with ${separator} is removed, of trusted clients too`,
      headers: ['A', '1', name.replace(/-/g, separator), 'x', name.replace('-', separator).toUpperCase(), 'y'],
      request: { trusted: separator === '.', speaksGrip: separator !== '~' },
      gets: ['A', '1'],
    })),
  ),
  {
    says: 'other names pass as they are',
    headers: ['X_Custom', '1', 'Metadata', '2', 'Grip', '3', 'Host_Name', '4', 'x.y', '5', 'Set_Cookie', '6'],
    gets: ['X_Custom', '1', 'Metadata', '2', 'Grip', '3', 'Host_Name', '4', 'x.y', '5', 'Set_Cookie', '6'],
  },
  {
    says: 'a field that the route sets takes the place of all names that an origin may take for it',
    headers: ['X_User', 'mallory', 'x-user', 'mallory', 'X.User', 'mallory', 'X-User-2', 'a'],
    request: { routeHeaders: [['X-User', 'anonymous']] },
    gets: ['X-User-2', 'a', 'X-User', 'anonymous'],
  },
  {
    says: 'a field that the route removes is removed under those names, too',
    headers: ['X_Admin', '1', 'X-Admin', '2', 'X-Other', '3'],
    request: { routeHeaders: [['x-admin', '']] },
    gets: ['X-Other', '3'],
  },
]);

section('fields that origins believe to be of their GRIP proxy', [
  {
    says: 'are removed where the origin takes us for its GRIP proxy',
    headers: [
      'Connection-Id',
      'x',
      'META-User',
      'admin',
      'meta-',
      '',
      'Content-Bytes-Replayed',
      '1',
      'A',
      '2',
      'Sub-Meta',
      '{}',
    ],
    gets: ['A', '2'],
  },
  {
    says: 'of trusted clients, and on no_grip routes, pass',
    headers: ['Connection-Id', 'x', 'Meta-User', 'admin', 'Meta_User', 'admin'],
    request: { speaksGrip: false },
    gets: ['Connection-Id', 'x', 'Meta-User', 'admin'],
  },
]);

section('fields named by Connection', [
  {
    says: 'fields that Connection names are removed (RFC 9110 §7.6.1)',
    headers: [
      'Hop-A',
      '1',
      'Connection',
      'hop-a , HOP-B',
      'hop-b',
      '2',
      'Kept',
      '3',
      'Connection',
      'hop-c',
      'Hop-C',
      '4',
    ],
    gets: ['Kept', '3'],
  },
  {
    says: 'close and keep-alive name no field',
    headers: ['Close', '1', 'Connection', 'close, keep-alive'],
    gets: ['Close', '1'],
  },
  ...[
    ...['X-Forwarded-Proto', 'X-Real-IP', 'X-Anything', 'Forwarded', 'Via', 'CDN-Loop'],
    ...['Content-Type', 'Content-Length', 'Content-Encoding', 'Authorization', 'Cookie'],
  ].map((name) => ({
    says: `${name} cannot be hidden from the origin by naming it`,
    headers: [name, 'v', 'Connection', name.toLowerCase()],
    gets: [name, 'v'],
  })),
  {
    says: 'X-Forwarded-For cannot be hidden either',
    headers: ['X-Forwarded-For', '198.51.100.7', 'Connection', 'x-forwarded-for'],
    gets: ['X-Forwarded-For', '198.51.100.7'],
  },
  {
    says: 'nor can the GRIP headers of a trusted proxy',
    headers: ['Grip-Sig', 'v', 'Connection', 'grip-sig'],
    request: { trusted: true },
    gets: ['Grip-Sig', 'v'],
  },
]);

section('GRIP', [
  {
    says: 'Grip-* of a client is removed, in any case',
    headers: ['Grip-Sig', 'x', 'grip-hold', 'x', 'GRIP-ANYTHING', 'x', 'Grip', 'kept'],
    gets: ['Grip', 'kept'],
  },
  {
    says: 'Grip-* of a trusted client is kept',
    headers: ['Grip-Sig', 'x', 'grip-feature', 'y'],
    request: { trusted: true },
    gets: ['Grip-Sig', 'x', 'grip-feature', 'y'],
  },
  {
    says: 'our own come after the client’s fields',
    headers: ['Grip-Sig', 'forged', 'A', '1'],
    request: { grip: ['Grip-Sig', 'ours', 'Grip-Feature', 'status'] },
    gets: ['A', '1', 'Grip-Sig', 'ours', 'Grip-Feature', 'status'],
  },
]);

section('Pushpin-Route', [
  { says: 'is an ordinary field by default', headers: ['Pushpin-Route', 'id'], gets: ['Pushpin-Route', 'id'] },
  {
    says: 'is removed where it is obeyed',
    headers: ['pushpin-route', 'id'],
    rules: { acceptPushpinRoute: true },
    gets: [],
  },
]);

section('CDN-Loop (RFC 8586)', [
  {
    says: 'passes without a token of our own',
    headers: ['CDN-Loop', 'a', 'CDN-Loop', 'b'],
    gets: ['CDN-Loop', 'a', 'CDN-Loop', 'b'],
  },
  {
    says: 'our token is added where there is none',
    headers: ['A', '1'],
    rules: { cdnLoop: 'us' },
    gets: ['A', '1', 'CDN-Loop', 'us'],
  },
  {
    says: 'all values are merged into one field, our token last',
    headers: ['CDN-Loop', 'a; v=1,b', 'A', '1', 'cdn-loop', ' c ,'],
    rules: { cdnLoop: 'us' },
    gets: ['A', '1', 'CDN-Loop', 'a; v=1, b, c, us'],
  },
]);

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

section('route headers', [
  {
    says: 'are set behind the client’s',
    headers: ['A', '1'],
    request: { routeHeaders: [['B', '2']] },
    gets: ['A', '1', 'B', '2'],
  },
  {
    says: 'replace all fields of the name, in any case',
    headers: ['x-b', '1', 'A', '1', 'X-B', '2'],
    request: { routeHeaders: [['X-b', 'new']] },
    gets: ['A', '1', 'X-b', 'new'],
  },
  {
    says: 'an empty value removes',
    headers: ['X-B', '1', 'A', '1'],
    request: { routeHeaders: [['x-b', '']] },
    gets: ['A', '1'],
  },
  {
    says: 'of a repeated name the one applied last stays',
    request: {
      routeHeaders: [
        ['A', '1'],
        ['A', '2'],
      ],
    },
    gets: ['A', '2'],
  },
]);

section('original headers', [
  {
    says: 'marked fields are dropped on ordinary routes',
    headers: ['eb9bf0f5-A', '1', 'EB9BF0F5-B', '2', 'C', '3'],
    gets: ['C', '3'],
  },
  {
    says: 'each field is repeated with a mark, at the end',
    headers: ['A', '1', 'B', '2'],
    request: { origHeaders: true },
    gets: ['A', '1', 'B', '2', 'eb9bf0f5-A', '1', 'eb9bf0f5-B', '2'],
  },
  {
    says: 'fields that are marked already are kept, behind the others',
    headers: ['eb9bf0f5-Z', '0', 'A', '1'],
    request: { origHeaders: true },
    gets: ['A', '1', 'eb9bf0f5-A', '1', 'eb9bf0f5-Z', '0'],
  },
  {
    says: 'fields of orig_headers_need_mark are not marked',
    headers: ['Accept', '1', 'B', '2'],
    request: { origHeaders: true },
    rules: { origHeadersNeedMark: new Set(['accept']) },
    gets: ['Accept', '1', 'B', '2', 'eb9bf0f5-B', '2'],
  },
  {
    says: 'fields of a trusted client are not marked, marked ones kept',
    headers: ['A', '1', 'eb9bf0f5-A', '1'],
    request: { origHeaders: true, trusted: true },
    gets: ['A', '1', 'eb9bf0f5-A', '1'],
  },
  {
    says: 'fields of the hop are not marked',
    headers: ['Keep-Alive', 'timeout=5', 'Connection', 'x', 'A', '1'],
    request: { origHeaders: true },
    gets: ['A', '1', 'eb9bf0f5-A', '1'],
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

t.test('everything at once comes in the documented order', async (t) => {
  const made = requestHeaders(
    {
      ...REQUEST,
      headers: ['X-Forwarded-For', 'a', 'A', '1', 'Grip-Sig', 'x', 'CDN-Loop', 'c', 'eb9bf0f5-M', 'm', 'Host', 'h'],
      secure: true,
      origHeaders: true,
      routeHeaders: [['R', 'r']],
      grip: ['Grip-Sig', 'sig'],
    },
    { ...NO_RULES, cdnLoop: 'us', setXForwardedProtocol: 'proto-only', xForwardedFor: { append: true } },
  );
  t.strictSame(made, [
    ...['Host', 'origin.example', 'A', '1', 'R', 'r', 'eb9bf0f5-A', '1', 'eb9bf0f5-R', 'r', 'eb9bf0f5-M', 'm'],
    ...['CDN-Loop', 'c, us', 'Grip-Sig', 'sig', 'X-Forwarded-Proto', 'https', 'X-Forwarded-For', 'a, 192.0.2.1'],
  ]);
});

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

const requestId = { name: 'X-Request-Id', folded: 'x-request-id' };

section('the id of a request', [
  {
    says: 'is the proxy’s to set: whatever an origin may take for it is removed',
    headers: ['x-request-id', 'a', 'X_Request_Id', 'b', 'X-Request.ID', 'c', 'X-Request-Ids', 'd'],
    request: { requestId: '7' },
    rules: { requestId },
    gets: ['X-Request-Ids', 'd', 'X-Request-Id', '7'],
  },
  {
    says: 'is not sent where the request has none, and the client’s is removed all the same',
    headers: ['X-Request-Id', 'a'],
    rules: { requestId },
    gets: [],
  },
  {
    says: 'passes as it came where no field is named',
    headers: ['X-Request-Id', 'a', 'X_Request_Id', 'b'],
    gets: ['X-Request-Id', 'a', 'X_Request_Id', 'b'],
  },
  {
    says: 'is what the route says where that names the field',
    headers: ['X-Request-Id', 'a'],
    request: { requestId: '7', routeHeaders: [['x-request-id', 'fixed']] },
    rules: { requestId },
    gets: ['x-request-id', 'fixed'],
  },
]);
