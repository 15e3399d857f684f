/** Addresses of XMPP (RFC 7622): their parts, and the path by which an origin is asked for one of ours. */

/**
 * Characters of an address: each of its three parts has 1,023 bytes at most (RFC 7622 §3.1).
 *
 * @limit {} characters of an XMPP address
 * @over the stanza is dropped
 */
export const ADDRESS_MAX = 3_071;

/** The parts of an address. */
export interface Address {
  /** As given: the server has made it canonical. */
  readonly full: string;
  /** Without the resource. */
  readonly bare: string;
  /** Empty for a domain by itself. */
  readonly local: string;
  /** In lower case. */
  readonly domain: string;
}

/** Reads an address; undefined for what is none. The characters of its parts are the server's to check. */
export function parseAddress(full: string | undefined): Address | undefined {
  if (full === undefined || full.length > ADDRESS_MAX) return undefined;
  const slash = full.indexOf('/');
  const bare = slash === -1 ? full : full.slice(0, slash);
  const at = bare.indexOf('@');
  const [local, domain] = [bare.slice(0, Math.max(at, 0)), bare.slice(at + 1).toLowerCase()];
  if (domain === '' || at === 0 || slash === full.length - 1) return undefined;
  return { full, bare, local, domain };
}

/**
 * Whether a stanza from this address may go out for a component of the domain. Servers compare it to the letter, and end the stream of a
 * component that writes in the name of another.
 */
export function isOwnAddress(full: string, domain: string): boolean {
  const address = parseAddress(full);
  return address !== undefined && address.bare === (address.local === '' ? domain : `${address.local}@${domain}`);
}

/**
 * The path of the request for a stanza to this address: its local part. Undefined for one that servers would take for another path
 * (RFC 3986 §5.2.4), or that no URL can have.
 */
export function pathOf({ local }: Address): string | undefined {
  if (/^\.{1,2}$|\p{Surrogate}/u.test(local)) return undefined;
  return `/${encodeURIComponent(local)}`;
}
