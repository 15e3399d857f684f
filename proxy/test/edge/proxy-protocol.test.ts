import fc from 'fast-check';
import t from 'tap';
import type { ProxyVersion } from '../../dist/config/types/listen.js';
import { PROXY_HEADER_MAX, readProxyHeader } from '../../dist/edge/proxy-protocol.js';

const BOTH: readonly ProxyVersion[] = [1, 2];
const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** A header of version 2. */
function v2(command: number, family: number, ...parts: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(parts);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  return Buffer.concat([Buffer.from(SIGNATURE, 'hex'), Buffer.from([command, family]), length, rest]);
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

const TCP4 = Buffer.from([198, 51, 100, 7, 10, 0, 0, 1, 0x10, 0x92, 0x01, 0xbb]);
const TCP6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('fd000000000000000000000000000001', 'hex'),
  Buffer.from([0x10, 0x92, 0x01, 0xbb]),
]);

const GOOD: readonly (readonly [says: string, bytes: Buffer, address: string | undefined, secure?: boolean])[] = [
  ['v1 of IPv4', Buffer.from('PROXY TCP4 198.51.100.7 10.0.0.1 4242 443\r\n'), '198.51.100.7'],
  ['v1 of IPv6', Buffer.from('PROXY TCP6 2001:db8::7 fd00::1 4242 443\r\n'), '2001:db8::7'],
  ['v1 that knows nobody', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['v1 that knows nobody, with more', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  ['v2 of IPv4', v2(0x21, 0x11, TCP4), '198.51.100.7'],
  ['v2 of IPv6', v2(0x21, 0x21, TCP6), '2001:0db8:0000:0000:0000:0000:0000:0007'],
  ['v2 of a unix socket', v2(0x21, 0x31, Buffer.alloc(216)), ''],
  ['v2 of an unspecified family', v2(0x21, 0x00, Buffer.from('what ever')), undefined],
  ['v2 LOCAL', v2(0x20, 0x00), undefined],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, TCP4), undefined],
  ['v2 with the id of an AWS endpoint', v2(0x21, 0x11, TCP4, tlv(0xea, Buffer.from('\x01vpce-1'))), '198.51.100.7'],
  ['v2 of a client with TLS', v2(0x21, 0x11, TCP4, tlv(0x20, Buffer.from([1, 0, 0, 0, 0]))), '198.51.100.7', true],
  ['v2 of a client without TLS', v2(0x21, 0x11, TCP4, tlv(0x20, Buffer.from([0, 0, 0, 0, 1]))), '198.51.100.7', false],
  // Calculated by a table, where the parser goes bit by bit; the same table gives e3069283 for 123456789 (RFC 3720 §B.4).
  ['v2 with its checksum', v2(0x21, 0x11, TCP4, tlv(0x03, Buffer.from('9bb65a33', 'hex'))), '198.51.100.7'],
];

t.test('headers that are taken', async (t) => {
  for (const [says, header, address, secure = false] of GOOD) {
    t.test(says, async (t) => {
      const bytes = Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')]);
      t.strictSame(readProxyHeader(bytes, BOTH), { length: header.length, address, secure });
      for (let length = 1; length < header.length; length++) {
        if (readProxyHeader(header.subarray(0, length), BOTH) !== 'incomplete') t.fail(`${length} bytes of it`);
      }
    });
  }
});

const BAD: readonly (readonly [says: string, bytes: Buffer, versions?: readonly ProxyVersion[]])[] = [
  ['a request', Buffer.from('GET / HTTP/1.1\r\n')],
  ['the first byte of a request', Buffer.from('G')],
  ['TLS', Buffer.from([0x16, 0x03, 0x01])],
  ['v1 where only v2 is taken', Buffer.from('PROXY TCP4 198.51.100.7 10.0.0.1 4242 443\r\n'), [2]],
  ['v2 where only v1 is taken', v2(0x21, 0x11, TCP4), [1]],
  ['v1 with a bare LF', Buffer.from('PROXY TCP4 198.51.100.7 10.0.0.1 4242 443\n')],
  ['v1 with two spaces', Buffer.from('PROXY TCP4  198.51.100.7 10.0.0.1 4242 443\r\n')],
  ['v1 with a name', Buffer.from('PROXY TCP4 localhost 10.0.0.1 4242 443\r\n')],
  ['v1 with an address of the other family', Buffer.from('PROXY TCP4 2001:db8::7 10.0.0.1 4242 443\r\n')],
  ['v1 with a zone', Buffer.from('PROXY TCP6 fe80::1%lo fd00::1 4242 443\r\n')],
  ['v1 with a port that is none', Buffer.from('PROXY TCP4 198.51.100.7 10.0.0.1 65536 443\r\n')],
  ['v1 with a leading zero', Buffer.from('PROXY TCP4 198.51.100.7 10.0.0.1 042 443\r\n')],
  ['v1 of 107 bytes without an end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['v1 in lower case', Buffer.from('proxy TCP4 198.51.100.7 10.0.0.1 4242 443\r\n')],
  ['v1 of UDP', Buffer.from('PROXY UDP4 198.51.100.7 10.0.0.1 4242 443\r\n')],
  ['v2 of another version', v2(0x31, 0x11, TCP4)],
  ['v2 of another command', v2(0x22, 0x11, TCP4)],
  ['v2 of datagrams', v2(0x21, 0x12, TCP4)],
  ['v2 of a family that is none', v2(0x21, 0x41, TCP4)],
  ['v2 that is too short for its addresses', v2(0x21, 0x11, TCP4.subarray(0, 11))],
  ['v2 with an extension cut short', v2(0x21, 0x11, TCP4, Buffer.from([0x04, 0x00]))],
  ['v2 with an extension longer than the header', v2(0x21, 0x11, TCP4, Buffer.from([0x04, 0x00, 0x05, 1]))],
  ['v2 with another checksum', v2(0x21, 0x11, TCP4, tlv(0x03, Buffer.from([1, 2, 3, 4])))],
  ['v2 with a checksum of another length', v2(0x21, 0x11, TCP4, tlv(0x03, Buffer.from([1, 2])))],
  ['v2 with an extension about TLS that is too short', v2(0x21, 0x11, TCP4, tlv(0x20, Buffer.from([1])))],
  ['v2 over the limit, as soon as it says so', v2(0x21, 0x11, Buffer.alloc(PROXY_HEADER_MAX - 15)).subarray(0, 16)],
];

t.test('everything else is malformed', async (t) => {
  for (const [says, bytes, versions = BOTH] of BAD) t.equal(readProxyHeader(bytes, versions), 'malformed', says);
});

t.test('a header of the greatest length is taken', async (t) => {
  const header = v2(0x21, 0x11, TCP4, tlv(0x04, Buffer.alloc(PROXY_HEADER_MAX - 16 - 12 - 3)));
  t.equal(header.length, PROXY_HEADER_MAX);
  t.match(readProxyHeader(header, BOTH), { length: PROXY_HEADER_MAX, address: '198.51.100.7' });
});

t.test('no bytes make it throw, and what is taken is within them', async (t) => {
  const start = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY '), Buffer.from(SIGNATURE, 'hex'));
  const isWithin = fc.property(start, fc.uint8Array({ maxLength: 300 }), (begin, rest) => {
    const bytes = Buffer.concat([begin, rest]);
    const outcome = readProxyHeader(bytes, BOTH);
    return typeof outcome === 'string' || outcome.length <= bytes.length;
  });
  t.doesNotThrow(() => fc.assert(isWithin, { numRuns: 20_000 }));
});
