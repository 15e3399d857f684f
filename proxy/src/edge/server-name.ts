/** Owns: which server names of clients (TLS SNI, RFC 6066 §3) are host names. Does not own: what is served by them. */

/**
 * Longest host name, in characters, without its root's dot (RFC 1035 §2.3.4).
 *
 * @limit {} characters of a server name (TLS), 63 of a label; letters, digits, hyphens and dots
 * @over the name counts as unknown: the port's default certificate
 */
export const MAX_SERVER_NAME = 253;

/** One label in lower case (RFC 1123 §2.1): letters, digits and hyphens, none of them at an end, 63 at most. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether this is one label of a host name, in lower case. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/**
 * Whether this is a host name, in lower case. Only such a name may be made part of a path or of anything that lasts: server
 * names are what a client has sent, of any length and with any bytes.
 */
export function isServerName(name: string): boolean {
  return name.length <= MAX_SERVER_NAME && name.split('.').every(isLabel);
}
