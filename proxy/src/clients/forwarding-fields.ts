/** The header fields by which a proxy names the client before it: `X-Forwarded-*` and `Forwarded` (RFC 7239). */
import type { RawHeaders } from '@holdfast/grip';
import parseForwarded from 'forwarded-parse';
import { canonicalAddress } from '../config/types/address-ranges.js';
import { foldedName } from '../origin/headers.js';

/** What one proxy says of the request that it has received. */
export interface Hop {
  /** The address that the request came from; undefined where it is hidden, or cannot be read. */
  readonly address: string | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** Which fields are believed: those that the proxy in front sets. */
export type ForwardingForm = 'x-forwarded' | 'forwarded' | 'auto';

/** Whether a field, by its name in lower case, says something about the connections before the last; CGI's spellings too. */
export function isForwardingField(lower: string): boolean {
  const name = foldedName(lower);
  return name === 'forwarded' || name === 'x-real-ip' || name.startsWith('x-forwarded-');
}

/**
 * What the proxies say, the nearest last. `auto` takes `X-Forwarded-For` where it is there, else `Forwarded`: of a proxy that
 * sets the one, a client cannot have the other believed.
 */
export function hopsIn(headers: RawHeaders, form: ForwardingForm): readonly Hop[] {
  if (form !== 'forwarded') {
    const hops = xForwarded(headers);
    if (form === 'x-forwarded' || hops.length > 0) return hops;
  }
  return forwarded(headers);
}

function xForwarded(headers: RawHeaders): Hop[] {
  const addresses = listIn(headers, 'x-forwarded-for');
  const protos = listIn(headers, 'x-forwarded-proto');
  const hosts = listIn(headers, 'x-forwarded-host');
  // A proxy that appends to all three gives each hop its own; one that replaces the others means the last.
  const of = (list: readonly string[], i: number) => (list.length === addresses.length ? list[i] : list.at(-1));
  return addresses.map((address, i) => ({ address: addressIn(address), proto: of(protos, i), host: of(hosts, i) }));
}

/** Each field by itself, the last first: one that cannot be parsed hides those before it, not those that were added later. */
function forwarded(headers: RawHeaders): Hop[] {
  const hops: Hop[] = [];
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if ((headers[i] as string).toLowerCase() !== 'forwarded') continue;
    try {
      const said = parseForwarded(headers[i + 1] as string);
      hops.unshift(...said.map(({ for: node = '', proto, host }) => ({ address: addressIn(node), proto, host })));
    } catch {
      break;
    }
  }
  return hops;
}

/** All values of a field, which is a list. Entries that are empty count: they have a place in the chain. */
function listIn(headers: RawHeaders, name: string): string[] {
  const entries: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const own = headers[i] as string;
    if (own.length !== name.length || own.toLowerCase() !== name) continue;
    for (const entry of (headers[i + 1] as string).split(',')) entries.push(entry.trim());
  }
  return entries;
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:4711` ⇒ the address. */
function addressIn(node: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(node) ?? [];
  return canonicalAddress(bracketed ?? plain ?? node);
}
