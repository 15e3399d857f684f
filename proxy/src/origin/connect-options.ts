/** How connections to a target are made, for every protocol: permitted addresses, look-up, verification, client certificate. */
import { lookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP, type LookupFunction } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import ipaddr, { type IPv4, type IPv6 } from 'ipaddr.js';
import { blockedError, noDescriptorError } from '../errors.js';
import type { HttpTarget } from '../routes/target.js';

/**
 * Options for node's net.connect and tls.connect. Reads the files of a client certificate; throws if it cannot. All addresses
 * of a name are tried, of both families in turns (RFC 8305). `trustedLookup`, in place of the system's way, is for targets that are not `untrusted`.
 */
export function connectOptions(target: HttpTarget, trustedLookup?: LookupFunction): object {
  const look = target.untrusted ? guardedLookup : trustedLookup;
  return {
    autoSelectFamily: true,
    ...(look === undefined ? {} : { lookup: look }),
    ...(target.ssl ? tlsOptions(target) : {}),
  };
}

/** Whether a target must not be connected to: it is untrusted and its address, given as such, is private. */
export function isBlocked(target: HttpTarget): boolean {
  if (!target.untrusted) return false;
  const host = asUrl(target.host);
  return isIP(host) !== 0 && isPrivate(host);
}

/** A host as a URL has it, by which connections are made without a look-up: `127.1` is an address there. */
function asUrl(host: string): string {
  const url = `http://${host}`;
  return isIP(host) === 0 && URL.canParse(url) ? new URL(url).hostname : host;
}

function tlsOptions(target: HttpTarget): object {
  return {
    rejectUnauthorized: !target.insecure,
    ...(target.clientCert === undefined ? {} : { cert: readFileSync(target.clientCert) }),
    ...(target.clientKey === undefined ? {} : { key: readFileSync(target.clientKey) }),
    ...(target.trustConnectHost
      ? { checkServerIdentity: (_: string, certificate: never) => checkServerIdentity(target.host, certificate) }
      : {}),
  };
}

/** Makes a connection, and calls back with it or with an error. */
type Connect<Options, Callback> = (options: Options, done: Callback) => void;

/** A connector that makes no connection where the process has no file descriptor to spare: that one fails at once. */
export function guardedConnect<Options, Callback extends (error: Error, socket: null) => void>(
  connect: Connect<Options, Callback>,
  admits: () => boolean,
): Connect<Options, Callback> {
  return (options, done) => {
    if (admits()) connect(options, done);
    else done(noDescriptorError(), null);
  };
}

/**
 * Blocks of IPv4 that ipaddr.js has a name for, and that are global all the same (IANA IPv4 Special-Purpose Address
 * Registry: AS112, RFC 7534 and 7535; AMT, RFC 7450).
 */
const GLOBAL_V4 = new Set(['unicast', 'as112', 'amt']);

/** All of IPv6 that is assigned as global unicast (IANA IPv6 Global Unicast Address Assignments; RFC 4291 §2.4). */
const GLOBAL_V6 = ipaddr.parseCIDR('2000::/3') as [IPv6, number];

/** What lies in {@link GLOBAL_V6} and is not global (IANA IPv6 Special-Purpose Address Registry). */
const NOT_GLOBAL_V6 = [
  // IETF protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarking, ORCHID. Its few anycast services are no origins.
  '2001::/23',
  // Documentation (RFC 3849, RFC 9637).
  '2001:db8::/32',
  '3fff::/20',
].map((range) => ipaddr.parseCIDR(range) as [IPv6, number]);

/** Blocks whose addresses carry one of IPv4, to which packets go in the end, and the first of its four bytes. */
const CARRIERS = (
  [
    // IPv4-mapped (RFC 4291 §2.5.5.2).
    ['::ffff:0:0/96', 12],
    // NAT64 by the well-known prefix (RFC 6052 §2.1).
    ['64:ff9b::/96', 12],
    // 6to4 (RFC 3056 §2).
    ['2002::/16', 2],
  ] as const
).map(([range, at]) => ({ range: ipaddr.parseCIDR(range) as [IPv6, number], at }));

/**
 * Whether a textual IP address is none of the public internet: no block of the IANA special-purpose registries that is not
 * globally reachable, nor multicast, nor what is not assigned. An address of IPv6 that carries one of IPv4 counts as that;
 * so a public server behind NAT64 is public. What cannot be read counts as private.
 */
export function isPrivate(address: string): boolean {
  const kind = isIP(address);
  if (kind === 4) return !isGlobalV4(ipaddr.parse(address) as IPv4);
  // A zone (`fe80::1%eth0`) is of a link of this machine.
  if (kind === 0 || address.includes('%')) return true;
  // In hexadecimal: ipaddr.js reads `::8.8.8.8`, as the system writes it, as an IPv4-mapped address, which it is not.
  const { hostname } = new URL(`http://[${address}]`);
  return !isGlobalV6(ipaddr.parse(hostname.slice(1, -1)) as IPv6);
}

function isGlobalV4(address: IPv4): boolean {
  return GLOBAL_V4.has(address.range());
}

function isGlobalV6(address: IPv6): boolean {
  const carrier = CARRIERS.find(({ range }) => address.match(range));
  if (carrier !== undefined) {
    const bytes = address.toByteArray().slice(carrier.at, carrier.at + 4);
    return isGlobalV4(ipaddr.fromByteArray(bytes) as IPv4);
  }
  return address.match(GLOBAL_V6) && !NOT_GLOBAL_V6.some((range) => address.match(range));
}

/**
 * A name look-up that fails with ERR_ORIGIN_BLOCKED when the name resolves to an address that is not allowed. The check is on the very
 * address that is then connected to, so a name that changes between check and use (DNS rebinding) does not get past it.
 */
export function lookupWithin(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) callback(error, '', 4);
      else if (!addresses.every(({ address }) => isAllowed(address))) callback(blockedError(), '', 4);
      else if (options.all) callback(null, addresses as never);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4);
    });
  };
}

/** {@link lookupWithin} for connections to untrusted targets: no private address. */
export const guardedLookup: LookupFunction = lookupWithin((address) => !isPrivate(address));
