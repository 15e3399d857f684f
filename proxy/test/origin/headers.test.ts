/** What the origin gets of a client’s fields: those of the hop, of GRIP, of the route, and copies of the original ones. */
import t from 'tap';
import { requestHeaders } from '../../dist/origin/headers.js';
import { NO_RULES, REQUEST, section } from './forward-rules.js';

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

t.test('what a name means does not change with how many were met before', async (t) => {
  const asked = [
    'A',
    '1',
    'Grip_Sig',
    'x',
    'TE',
    'trailers',
    'Forwarded',
    'for=a',
    'X-Forwarded-For',
    'b',
    `N-${'n'.repeat(70)}`,
    '2',
  ];
  const made = () => requestHeaders({ ...REQUEST, headers: asked }, { ...NO_RULES, setForwarded: true });
  const before = made();
  for (let i = 0; i < 3_000; i++) {
    const name = i % 2 === 0 ? `Name-${i}` : `grip_name-${i}`;
    const headers = requestHeaders({ ...REQUEST, headers: [name, '1'] }, NO_RULES);
    if (headers.includes(name) !== (i % 2 === 0)) t.fail(`${name} is not treated by its meaning`);
  }
  t.strictSame(made(), before);
  t.notOk(before.includes('Grip_Sig') || before.includes('TE'));
});
