/** Addresses as operators, proxies and clients write them, and lists of ranges that an address may lie in. */
import { BlockList, isIP, SocketAddress } from 'node:net';

/** Stands in a list of ranges for everything that connects by a unix socket. */
const UNIX = 'unix';

/** Bits of an address by its family. */
const BITS = { 4: 32, 6: 128 } as const;

/** Of an IPv4 address in the form of IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/**
 * The one form of a textual IP address: IPv4 without the IPv6 mapping, IPv6 in lower case and compressed (RFC 5952).
 * Undefined for anything else, and for an address with a zone, which means something on one machine only.
 */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text;
  if (family === 0 || text.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return MAPPED.exec(address)?.[1] ?? address;
}

/** One range as it is written: `192.0.2.1`, `10.0.0.0/8`, `fd00::/8` or `unix`. */
export function isAddressRange(text: string): boolean {
  return text === UNIX || readRange(text) !== undefined;
}

function readRange(text: string): { address: string; bits: number; family: 4 | 6 } | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  if (family !== 4 && family !== 6) return undefined;
  const bits = digits === undefined ? BITS[family] : Number(digits);
  return bits > BITS[family] ? undefined : { address, bits, family };
}

/** A list of ranges. An IPv4 address in the form of IPv6 is the IPv4 address. */
export class AddressRanges {
  readonly #list = new BlockList();
  readonly #hasUnix: boolean;

  /** Each text is an `isAddressRange`; others are left out. */
  constructor(texts: readonly string[]) {
    this.#hasUnix = texts.includes(UNIX);
    for (const text of texts) {
      const range = readRange(text);
      if (range !== undefined) this.#list.addSubnet(range.address, range.bits, range.family === 4 ? 'ipv4' : 'ipv6');
    }
  }

  /** Whether an IP address is in one of the ranges; the empty text is the other end of a unix socket. */
  has(address: string): boolean {
    if (address === '') return this.#hasUnix;
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

/**
 * What distinguishes clients: the IPv4 address, or the first 64 bits of the IPv6 address, as one client has all addresses
 * of such a network (RFC 4291 §2.5.1, RFC 6177). Other text stays as it is.
 */
export function addressKey(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined || !canonical.includes(':')) return canonical ?? address;
  const [head = '', tail = ''] = canonical.split('::');
  const groups = head === '' ? [] : head.split(':');
  const zeros = canonical.includes('::') ? 8 - groups.length - (tail === '' ? 0 : tail.split(':').length) : 0;
  const all = [...groups, ...Array<string>(zeros).fill('0'), ...(tail === '' ? [] : tail.split(':'))];
  return `${all.slice(0, 4).join(':')}::/64`;
}
