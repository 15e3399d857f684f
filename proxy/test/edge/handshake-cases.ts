/** Handshakes that any edge has to accept, and those that it has to refuse (RFC 6455 §4.2.1). */
import { handshake } from '../kit/clients/raw-socket.js';

/** Header lines of valid ones. */
export const valid: readonly (readonly [says: string, lines: readonly string[]])[] = [
  ['as browsers send it', ['Connection: Upgrade', 'Upgrade: websocket', 'Origin: https://a.example']],
  ['with Upgrade in capitals', ['Upgrade: WebSocket']],
  ['with Upgrade in upper case', ['Upgrade: WEBSOCKET']],
  ['with more in Connection, as Firefox sends it', ['Connection: keep-alive, Upgrade']],
  ['with Connection in lower case', ['connection: upgrade']],
  ['with a length of 0', ['Content-Length: 0']],
  ['with extensions that nobody knows', ['Sec-WebSocket-Extensions: x-foo; a="b,c", x-bar']],
  ['with extensions that cannot be parsed', ['Sec-WebSocket-Extensions: ;;=,"']],
  ['with subprotocols that cannot be parsed', ['Sec-WebSocket-Protocol: a,,a b, a']],
  ['with subprotocols in two fields', ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b']],
];

const bad =
  'Request contained an Upgrade header with value "websocket" but the request was not a valid WebSocket request: ';

/** Invalid ones, with their answers. */
export const invalid: readonly (readonly [says: string, request: string, status: number, text: string])[] = [
  ['a POST', handshake().replace('GET', 'POST'), 400, `${bad}the method is POST, not GET.\n`],
  ['HTTP/1.0', handshake().replace('HTTP/1.1', 'HTTP/1.0'), 400, `${bad}it is not HTTP/1.1.\n`],
  ['no key', handshake().replace(/Sec-WebSocket-Key: .*\r\n/, ''), 400, `${bad}it has no Sec-WebSocket-Key.\n`],
  ...['short', '', 'A'.repeat(24), `${'A'.repeat(22)}=`, `${'A'.repeat(23)}==`, `${'!'.repeat(22)}==`].map(
    (key) =>
      [
        `the key ${JSON.stringify(key)}`,
        handshake([`Sec-WebSocket-Key: ${key}`]),
        400,
        `${bad}its Sec-WebSocket-Key is not 16 bytes in base64.\n`,
      ] as const,
  ),
  [
    'two keys',
    handshake(['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']),
    400,
    `${bad}it has more than one Sec-WebSocket-Key.\n`,
  ],
  [
    'two versions',
    handshake(['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 13']),
    400,
    `${bad}it has more than one Sec-WebSocket-Version.\n`,
  ],
  [
    'Upgrade twice',
    handshake(['Upgrade: websocket', 'Upgrade: websocket']),
    400,
    `${bad}it has more than one Upgrade.\n`,
  ],
  ['a body', `${handshake(['Content-Length: 4'])}body`, 400, `${bad}it has a body.\n`],
  ['a chunked body', `${handshake(['Transfer-Encoding: chunked'])}0\r\n\r\n`, 400, `${bad}it has a body.\n`],
  [
    'no version',
    handshake().replace('Sec-WebSocket-Version: 13\r\n', ''),
    400,
    `${bad}it has no Sec-WebSocket-Version.\n`,
  ],
  ...['8', '0', '14', '013', 'x'].map(
    (version) =>
      [
        `version ${version}`,
        handshake([`Sec-WebSocket-Version: ${version}`]),
        426,
        `WebSocket version ${version} is not supported, version 13 is.\n`,
      ] as const,
  ),
  ['no Host', handshake().replace('Host: test\r\n', ''), 400, 'Failed to parse request: missing Host header\n'],
];
