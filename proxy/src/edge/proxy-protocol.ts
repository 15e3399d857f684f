/**
 * The header of the PROXY protocol, version 1 and 2, by which a load balancer names the client whose connection it passes on
 * (haproxy.org, proxy-protocol.txt).
 */
import { isIP } from 'node:net';
import type { ProxyVersion } from '../config/types/listen.js';

/** A header that is complete. */
export interface ProxyHeader {
  /** Bytes of it; what follows is the client's. */
  readonly length: number;
  /**
   * The client's address, empty where it came by a unix socket. Undefined where the load balancer speaks for itself, as its health
   * checks do (LOCAL, UNKNOWN): then the connection's own is right.
   */
  readonly address: string | undefined;
  /** The client's connection to the load balancer was TLS. */
  readonly secure: boolean;
}

/** What the first bytes of a connection are: a header, the beginning of one, or something else. */
export type ProxyOutcome = ProxyHeader | 'incomplete' | 'malformed';

const V1_START = Buffer.from('PROXY ');
/** The longest header of version 1, with its CRLF (proxy-protocol.txt §2.1). */
const V1_MAX = 107;
const V1 = /^PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|(TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r\n$/;

const V2_START = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const V2_FIXED = 16;

/**
 * @limit {} bytes of a PROXY protocol header with its extensions
 * @over connection closed
 */
export const PROXY_HEADER_MAX = 4_096;

const TLV_CRC32C = 0x03;
const TLV_SSL = 0x20;
const CLIENT_SSL = 0x01;

/** Bytes of the two addresses and ports by family and transport; the transport is always a stream. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 17: 12, 33: 36, 49: 216 };

/**
 * Reads what a connection begins with. Never guesses: bytes that cannot become a header of one of the versions are malformed at
 * once, however few there are.
 */
export function readProxyHeader(bytes: Buffer, versions: readonly ProxyVersion[]): ProxyOutcome {
  if (versions.includes(2) && begins(bytes, V2_START)) return readV2(bytes);
  if (versions.includes(1) && begins(bytes, V1_START)) return readV1(bytes);
  return 'malformed';
}

/** Whether the bytes are the beginning of `start`, or begin with it. */
function begins(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readV1(bytes: Buffer): ProxyOutcome {
  const end = bytes.subarray(0, V1_MAX).indexOf('\n');
  if (end < 0) return bytes.length < V1_MAX ? 'incomplete' : 'malformed';
  const match = V1.exec(bytes.toString('latin1', 0, end + 1));
  if (match === null) return 'malformed';
  const [, protocol, source = '', target = '', ...ports] = match;
  const own = { length: end + 1, address: undefined, secure: false };
  if (protocol === undefined) return own;
  const family = protocol === 'TCP4' ? 4 : 6;
  const isSound = isIP(source) === family && isIP(target) === family && !source.includes('%');
  if (!isSound || ports.some((port) => Number(port) > 65_535 || /^0\d/.test(port))) return 'malformed';
  return { ...own, address: source };
}

function readV2(bytes: Buffer): ProxyOutcome {
  if (bytes.length > 12 && bytes[12] !== 0x20 && bytes[12] !== 0x21) return 'malformed';
  if (bytes.length < V2_FIXED) return 'incomplete';
  const length = V2_FIXED + bytes.readUInt16BE(14);
  if (length > PROXY_HEADER_MAX) return 'malformed';
  if (bytes.length < length) return 'incomplete';
  const family = bytes[13] as number;
  const isLocal = bytes[12] === 0x20;
  const addresses = ADDRESS_BYTES[family] ?? (isLocal || family === 0 ? 0 : undefined);
  if (addresses === undefined) return 'malformed';
  const own = { length, address: undefined, secure: false };
  // What a header without a client says of addresses is to be passed over, whatever it is (§2.2).
  if (isLocal || family === 0) return own;
  if (length < V2_FIXED + addresses) return 'malformed';
  const extensions = readExtensions(bytes.subarray(0, length), V2_FIXED + addresses);
  if (extensions === undefined) return 'malformed';
  return { length, address: addressOf(family, bytes.subarray(V2_FIXED)), secure: extensions.secure };
}

/** The source address, which comes first. */
function addressOf(family: number, bytes: Buffer): string {
  if (family === 0x11) return bytes.subarray(0, 4).join('.');
  if (family !== 0x21) return '';
  return bytes.toString('hex', 0, 16).replace(/(....)(?!$)/g, '$1:');
}

/** Undefined where a length does not fit, or the checksum is not that of the header. */
function readExtensions(header: Buffer, start: number): { secure: boolean } | undefined {
  let secure = false;
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return undefined;
    const type = header[at];
    const value = header.subarray(at + 3, at + 3 + header.readUInt16BE(at + 1));
    if (value.length !== header.readUInt16BE(at + 1)) return undefined;
    if (type === TLV_CRC32C && !isChecksum(header, at + 3, value)) return undefined;
    if (type === TLV_SSL) {
      if (value.length < 5) return undefined;
      secure = ((value[0] as number) & CLIENT_SSL) !== 0;
    }
    at += 3 + value.length;
  }
  return { secure };
}

/** The checksum is of the header with zeros in the place of the checksum (§2.2.4). */
function isChecksum(header: Buffer, at: number, value: Buffer): boolean {
  if (value.length !== 4) return false;
  const copy = Buffer.from(header);
  copy.fill(0, at, at + 4);
  return crc32c(copy) === value.readUInt32BE(0);
}

/** RFC 3720 §B.4: the polynomial of Castagnoli, which `node:zlib` has not. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
