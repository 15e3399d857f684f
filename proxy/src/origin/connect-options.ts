/** How a connection to a target is made, for every protocol spoken to it: look-up, verification, client certificate. */
import { readFileSync } from 'node:fs';
import { isIP, type LookupFunction } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { noDescriptorError } from '../errors.js';
import type { HttpTarget } from '../routes/target.js';
import { guardedLookup, isPrivate } from './address-policy.js';

/**
 * Options for node's net.connect and tls.connect. Reads the files of a client certificate; throws if it cannot. All addresses
 * of a name are tried, of both families in turns (RFC 8305). `lookup` in place of the system's way is for trusted targets.
 */
export function connectOptions(target: HttpTarget, lookup?: LookupFunction): object {
  const look = target.untrusted ? guardedLookup : lookup;
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
