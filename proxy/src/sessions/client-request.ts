/** What a session keeps of its client's handshake: the request in little room, without the client's wish to come back. */
import type { RawHeaders } from '@holdfast/grip';
import { TOKEN_PROTOCOL } from '../direct/token-source.js';
import type { ClientRequest } from '../edge/port.js';
import { takeParameter } from '../http/request-path.js';

/**
 * Most texts that are kept for sharing; when there are more, it begins anew: what sessions have stays theirs. Clients differ
 * in few of these fields, and come in waves of the same kinds.
 *
 * @limit {} texts that many handshakes have alike and that sessions share
 * @over the collection starts again; sessions keep what they have
 */
export const SHARED_MAX = 1_000;

/**
 * Longest text that is shared, in characters: a client may send what it likes.
 *
 * @limit {} characters of one shared text
 * @over a longer one is not shared
 */
export const SHARED_LENGTH_MAX = 512;

/** Fields of a handshake whose values say something about the kind of client, or the site, and never about who it is. */
const ALIKE = new Set([
  'host',
  'upgrade',
  'connection',
  'user-agent',
  'origin',
  'pragma',
  'cache-control',
  'accept',
  'accept-encoding',
  'accept-language',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
]);

/** Keeps requests. One for all sessions of a process. */
export class RequestInterner {
  readonly #texts = new Map<string, string>();

  /** The same request in the least room; without its body. */
  keep(request: ClientRequest): ClientRequest {
    return {
      id: request.id,
      method: this.#shared(request.method),
      path: request.path,
      host: this.#shared(request.host),
      version: request.version,
      headers: this.#headers(request.headers),
      secure: request.secure,
      clientAddress: request.clientAddress,
      ...(request.hops !== undefined && { hops: request.hops }),
      ...(request.clientCertificate !== undefined && { clientCertificate: request.clientCertificate }),
      ...(request.requestId !== undefined && { requestId: request.requestId }),
      ...(request.trace !== undefined && { trace: request.trace }),
      body: undefined,
    };
  }

  /** In an array of exactly that length: one that has grown has room to grow on. */
  #headers(headers: RawHeaders): RawHeaders {
    const kept = headers.slice();
    for (let i = 0; i < kept.length; i += 2) {
      const name = this.#shared(kept[i] as string);
      kept[i] = name;
      const value = kept[i + 1] as string;
      // A subprotocol that is a token is one client's alone.
      if (ALIKE.has(name.toLowerCase()) && !value.includes(TOKEN_PROTOCOL)) kept[i + 1] = this.#shared(value);
    }
    return kept;
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined || text.length > SHARED_LENGTH_MAX) return known ?? text;
    if (this.#texts.size === SHARED_MAX) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}

/** Name of the query parameter. Browsers can set no header of a handshake, and a subprotocol would have to be accepted. */
const NAME = 'holdfast-resume';

/** A path without the parameter, and what it said: a token, or empty for a client that comes for the first time. */
export interface ResumeRequest {
  readonly path: string;
  readonly token: string;
}

/** Takes the parameter out of an encoded path and query; undefined when it is not there. Of several the last counts. */
export function takeResumeRequest(path: string): ResumeRequest | undefined {
  const taken = takeParameter(path, NAME);
  return taken && { path: taken.path, token: taken.value };
}
