import t from 'tap';
import {
  isOfOneBody,
  ofAnotherBody,
  ofChangedBytes,
  ofDecodedBody,
  passableNames,
  passableTrailers,
  saysTrailers,
} from '../../dist/http/fields.js';

const OF_ONE_BODY = {
  ETag: '"a"',
  'Last-Modified': 'Tue, 01 Jan 2030 00:00:00 GMT',
  'Content-Encoding': 'gzip',
  'Content-Range': 'bytes 0-1/2',
  'Content-Location': '/a',
  'Content-MD5': 'x',
  Digest: 'x',
  'Content-Digest': 'x',
  'Repr-Digest': 'x',
  'Accept-Ranges': 'bytes',
};

const OTHERS = [
  'Content-Type',
  'text/a',
  'Content-Language',
  'de',
  'Vary',
  'Accept-Encoding',
  'Cache-Control',
  'no-store',
];

t.test('another body has none of the fields of the first, in any case', async (t) => {
  for (const [name, value] of Object.entries(OF_ONE_BODY)) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.strictSame(ofAnotherBody(['A', '1', spelled, value, 'B', '2']), ['A', '1', 'B', '2'], spelled);
    }
    t.ok(isOfOneBody(name.toLowerCase()), name);
  }
});

t.test('what says nothing of one body stays, and nothing is copied for it', async (t) => {
  for (const of of [ofAnotherBody, ofChangedBytes, ofDecodedBody]) t.equal(of(OTHERS), OTHERS);
});

t.test('with other bytes that say the same an ETag is weak, and digests and ranges are gone', async (t) => {
  const all = Object.entries(OF_ONE_BODY).flat();
  const changed = ['ETag', 'W/"a"', ...all.slice(2, 4), 'Content-Encoding', 'gzip', 'Content-Location', '/a'];
  t.strictSame(ofChangedBytes(all), changed);
  t.strictSame(ofChangedBytes(['etag', 'W/"a"']), ['etag', 'W/"a"'], 'a weak one stays as it is');
});

t.test('decoded, a body has no Content-Encoding either', async (t) => {
  const headers = ['Vary', 'Accept-Encoding', 'content-encoding', 'gzip', 'etag', '"a"', 'Content-Encoding', 'br'];
  t.strictSame(ofDecodedBody(headers), ['Vary', 'Accept-Encoding', 'etag', 'W/"a"']);
});

t.test('a client takes trailers when TE says so', async (t) => {
  for (const [value, takes] of [
    ['trailers', true],
    ['gzip, Trailers ,deflate', true],
    ['gzip', false],
    ['', false],
    ['trailersx', false],
  ] as const) {
    t.equal(saysTrailers(['Host', 'a', 'tE', value]), takes, value);
  }
  t.ok(saysTrailers(['TE', 'gzip', 'TE', 'trailers']));
  t.notOk(saysTrailers(['X-TE', 'trailers']));
});

t.test(
  'fields that mean nothing behind a body, or another thing, are left out, however they are written',
  async (t) => {
    const kept = [
      'X-Sum',
      '1',
      'ETag',
      '"a"',
      'Content-Digest',
      'x',
      'Server-Timing',
      'a',
      'grpc-status',
      '0',
      'X-Sum',
      '2',
    ];
    const dropped = [
      ...[
        'Transfer-Encoding',
        'Content-Length',
        'Host',
        'Trailer',
        'TE',
        'Connection',
        'Content-Encoding',
        'Set-Cookie',
      ],
      ...[
        'Authorization',
        'Cookie',
        'Cache-Control',
        'If-Match',
        'Grip-Hold',
        'grip_sig',
        'Grip.Channel',
        'X-Forwarded-For',
      ],
      ...[
        'x_forwarded_proto',
        'Connection-Id',
        'Client-Cert',
        'client_cert-chain',
        'Meta-User',
        'Content-Bytes-Accepted',
        'Proxy-Authorization',
        'Proxy',
        'Via',
      ],
      ...[
        'Access-Control-Allow-Origin',
        'Sec-WebSocket-Key',
        'Location',
        'Content-Type',
        'WWW-Authenticate',
        'Eb9bf0f5-Host',
      ],
    ].flatMap((name) => [name, 'x']);
    t.strictSame(passableTrailers([...dropped, ...kept]), kept);
    t.strictSame(passableTrailers(['X A', '1', '', '1', 'X-A', 'a\r\nb', 'X-B', 'a\0', 'X-C', 'a\x7f']), []);
  },
);

t.test('of a Trailer field the same names are left', async (t) => {
  t.equal(passableNames('X-Sum, Content-Length,grip-hold , ETag'), 'X-Sum, ETag');
  t.equal(passableNames('Content-Length'), undefined);
  t.equal(passableNames(' , a b,'), undefined);
});
