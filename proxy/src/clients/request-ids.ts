/** The ids by which requests are known beyond this node: of a proxy in front, or made here (`request_id_header`). */
import { randomUUID } from 'node:crypto';
import { headerValues, type RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { ClientRequest } from '../edge/port.js';
import type { HeadChange } from './answer-heads.js';
import type { TrustedProxies } from './trusted-proxies.js';

/**
 * Longest id that is taken from a trusted peer, in characters.
 *
 * @limit {} characters of a request id of a trusted peer
 * @over another is made
 */
export const REQUEST_ID_MAX = 128;

/**
 * What an id may consist of: no quotes, spaces, commas or backslashes, so that it is one word in a log line, a header field and a
 * shell. AWS's `Root=1-…;Self=…` is one.
 */
const ID = new RegExp(`^[A-Za-z0-9._~+/=:;@-]{1,${REQUEST_ID_MAX}}$`);

/** Gives requests their ids. Only where the option names a field. */
export class RequestIds {
  readonly #header: string;
  readonly #lower: string;
  readonly #shown: boolean;
  readonly #proxies: TrustedProxies | undefined;

  /** `proxies` as in `trusted_proxies`; undefined where none is trusted. */
  constructor(header: string, { requestIdResponse }: Pick<Options, 'requestIdResponse'>, proxies?: TrustedProxies) {
    this.#header = header;
    this.#lower = header.toLowerCase();
    this.#shown = requestIdResponse;
    this.#proxies = proxies;
  }

  /**
   * The request with its id: the one that it came with where its peer is a trusted proxy, or signs as our GRIP proxy (`isSigned`),
   * and named one that can be used; else a new one. The request has been through `TrustedProxies.identify`.
   */
  identify(request: ClientRequest, isSigned: boolean): ClientRequest {
    const isTrusted = isSigned || this.#proxies?.isPeerTrusted(request) === true;
    return { ...request, requestId: (isTrusted ? this.#given(request.headers) : undefined) ?? randomUUID() };
  }

  /** What puts the id into the client's answer; undefined where the client is not to see it. */
  naming({ requestId }: ClientRequest): HeadChange | undefined {
    if (!this.#shown || requestId === undefined) return undefined;
    return (headers) => this.#named(headers, requestId);
  }

  /** Two fields of the name leave it open which one counts. */
  #given(headers: RawHeaders): string | undefined {
    const [id, ...others] = headerValues(headers, this.#lower);
    return id !== undefined && others.length === 0 && ID.test(id) ? id : undefined;
  }

  /** An origin that repeats the id, or has one of its own, is not believed: the client's is the one of the log. */
  #named(headers: RawHeaders, id: string): string[] {
    const named: string[] = [];
    for (let i = 0; i < headers.length; i += 2) {
      if ((headers[i] as string).toLowerCase() !== this.#lower)
        named.push(headers[i] as string, headers[i + 1] as string);
    }
    named.push(this.#header, id);
    return named;
  }
}
