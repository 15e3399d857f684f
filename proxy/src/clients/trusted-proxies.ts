/** Who a client is where proxies that are trusted stand before this one (`trusted_proxies`). */
import type { RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { AddressRanges } from '../config/types/address-ranges.js';
import type { ClientRequest } from '../edge/port.js';
import { isHost } from '../edge/request-check.js';
import { type Hop, hopsIn, isForwardingField } from './forwarding-fields.js';

/** The options about trusted proxies. */
export type TrustedProxyOptions = Pick<Options, 'trustedProxies' | 'trustedProxyFields'>;

/**
 * Replaces what a request says of its client by what is known of it. The fields are believed only of a peer that is trusted, and
 * read from the right: each entry was written by the proxy after it, so that the first address that is not trusted is the
 * client's, and what stands left of it is the client's own word.
 */
export class TrustedProxies {
  readonly #ranges: AddressRanges;
  readonly #form: Options['trustedProxyFields'];

  constructor({ trustedProxies, trustedProxyFields }: TrustedProxyOptions) {
    this.#ranges = new AddressRanges(trustedProxies);
    this.#form = trustedProxyFields;
  }

  /**
   * The request as it left the client: its address, whether it came over TLS, the host that it asked for, and `hops`. The fields
   * say only what is believed: of a peer that is not trusted none is left. Never throws; what cannot be read is not believed.
   */
  identify(request: ClientRequest): ClientRequest {
    const { headers, clientAddress: peer } = request;
    if (!this.#ranges.has(peer)) {
      return says(headers) ? { ...request, headers: withoutForwarding(headers) } : request;
    }
    const hops = hopsIn(headers, this.#form);
    const at = this.#client(hops);
    const client = hops[at];
    if (client === undefined) return says(headers) ? { ...request, headers: withoutForwarding(headers) } : request;
    const path = hops.slice(at).map(({ address }) => address as string);
    const proto = protoOf(client);
    const host = client.host && isHost(client.host) ? client.host : undefined;
    const kept = withoutForwarding(headers);
    kept.push('X-Forwarded-For', path.join(', '));
    if (proto !== undefined) kept.push('X-Forwarded-Proto', proto);
    if (host !== undefined) kept.push('X-Forwarded-Host', host);
    return {
      ...request,
      headers: kept,
      clientAddress: path[0] as string,
      hops: [...path.slice(1), peer],
      // It is that of the proxy.
      clientCertificate: undefined,
      host: host ?? request.host,
      secure: proto === undefined ? request.secure : proto === 'https',
    };
  }

  /** Whether the other end of the connection is a trusted proxy, of a request that `identify` has returned. */
  isPeerTrusted({ hops, clientAddress }: ClientRequest): boolean {
    return this.#ranges.has(hops?.at(-1) ?? clientAddress);
  }

  /** The place of the client's address: the last that is not trusted, or the first of those that can be read. -1 where none can. */
  #client(hops: readonly Hop[]): number {
    let at = -1;
    for (let i = hops.length - 1; i >= 0; i--) {
      const address = hops[i]?.address;
      if (address === undefined) break;
      at = i;
      if (!this.#ranges.has(address)) break;
    }
    return at;
  }
}

function protoOf({ proto }: Hop): 'http' | 'https' | undefined {
  switch (proto?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https';
    case 'http':
    case 'ws':
      return 'http';
    default:
      return undefined;
  }
}

function says(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (isForwardingField((headers[i] as string).toLowerCase())) return true;
  }
  return false;
}

function withoutForwarding(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isForwardingField((headers[i] as string).toLowerCase())) {
      kept.push(headers[i] as string, headers[i + 1] as string);
    }
  }
  return kept;
}
