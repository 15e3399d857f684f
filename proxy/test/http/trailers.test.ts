import t from 'tap';
import { passableNames, passableTrailers, saysTrailers } from '../../dist/http/trailers.js';

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
