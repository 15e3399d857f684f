/** Owns: the dot of the root at the end of a name. Does not own: any other part of a host, or who is asked for it. */

/**
 * A name without the dot of the root: `example.com.` and `example.com` are one host (RFC 1034 §3.1). For comparing, and for
 * names in TLS, which have none (RFC 6066 §3); a Host field is passed on as it was sent. Allocates nothing where there is none.
 */
export function withoutRoot(name: string): string {
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;
}
