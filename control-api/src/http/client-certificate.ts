/** The names in the certificate that a client has shown, by which it can be known. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** One alternative name as Node writes it; names with anything odd in them are quoted, and are none. */
const NAME = /^(?:DNS|URI|email):([^",\s]+)$/;

/** Of connections that were asked for: a certificate is the same for all requests of one. */
const known = new WeakMap<TLSSocket, readonly string[] | undefined>();

/**
 * Common name of the subject, and alternative names (DNS, URI and email) without what they begin with, of a certificate that has
 * been verified. Undefined without one, and without TLS.
 */
export function certificateNames(socket: Socket): readonly string[] | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  if (!known.has(socket)) known.set(socket, namesOf(socket));
  return known.get(socket);
}

function namesOf(socket: TLSSocket): readonly string[] | undefined {
  // A resumed session without a certificate counts as authorized.
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return undefined;
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  const alternative = certificate.subjectAltName ?? '';
  // A quoted name may hold what looks like another one.
  const names = alternative.includes('"') ? [] : alternative.split(', ').map((name) => NAME.exec(name)?.[1]);
  return [...new Set([typeof CN === 'string' ? CN : undefined, ...names].filter((name) => name !== undefined))];
}
