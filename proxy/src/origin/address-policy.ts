/**
 * Owns: which addresses an `untrusted` target may not have: the only importer of ipaddr.js here.
 * Does not own: whether a target is trusted.
 */
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { blockedError } from './errors.js';

/** Loopback, private, link-local and unique-local networks: Pushpin's list. */
const PRIVATE = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '0.0.0.0/32',
  '::1/128',
  '::/128',
  'fc00::/7',
  'fe80::/10',
].map((range) => ipaddr.parseCIDR(range));

/** Whether a textual IP address lies in one of the private networks; IPv4 mapped into IPv6 counts as IPv4. */
export function isPrivate(address: string): boolean {
  const parsed = ipaddr.process(address);
  return PRIVATE.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
}

/**
 * A name look-up for connections to untrusted targets: fails with ERR_ORIGIN_BLOCKED when the name resolves to a
 * private address. The check is on the very address that is then connected to, so a name that changes between check
 * and use (DNS rebinding) does not get past it.
 */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) callback(error, '', 4);
    else if (addresses.some(({ address }) => isPrivate(address))) {
      callback(blockedError(), '', 4);
    } else if (options.all) callback(null, addresses as never);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4);
  });
};
