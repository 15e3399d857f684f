/** The response that every SockJS answer goes through: it adds the common fields and reports the end. */
import { headerValue, headerValues, type RawHeaders, type ResponseHead, reasonPhrase } from '@holdfast/grip';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import { askedHeaders, type Grant, grantOf, varyingByOrigin } from '../cross-origin/cors.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import { ResponseWrapper } from '../edge/response-wrapper.js';

/** How an answer ended. `status` is 0 when the client was gone before. */
export type ResponseEnd = (status: number, end: 'complete' | 'cut' | 'gone') => void;

/** The type of answers that are text. */
export const PLAIN = 'text/plain; charset=UTF-8';

const NO_CACHE = 'no-store, no-cache, no-transform, must-revalidate, max-age=0';

/** Fields that Holdfast sets itself, even in an origin's refusal of a session. */
const ACCESS = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-headers',
]);

/** A client response that scripts of the origins in a list may read and that no cache keeps unless it says so itself. */
export class SockJsResponse extends ResponseWrapper implements ResponseHandler {
  readonly #request: RawHeaders;
  readonly #origins: AllowedOrigins;
  readonly #onEnd: ResponseEnd;
  #handler: ResponseHandler | undefined;
  #status = 0;
  #over = false;

  /** `request` are the client's header fields; `onEnd` is called once. */
  constructor(inner: ClientResponse, request: RawHeaders, origins: AllowedOrigins, onEnd: ResponseEnd) {
    super(inner);
    this.#request = request;
    this.#origins = origins;
    this.#onEnd = onEnd;
  }

  /** Whether it is complete or broken off, or the client is known to have gone. */
  get over(): boolean {
    return this.#over;
  }

  override setHandler(handler: ResponseHandler): void {
    this.#handler = handler;
    super.setHandler(this);
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    this.#status = head.status;
    super.writeHead({ ...head, headers: this.#headers(head.headers) }, length, flush);
  }

  override end(chunk?: Buffer): void {
    super.end(chunk);
    this.#end(this.#status, 'complete');
  }

  override abort(discard?: boolean): void {
    super.abort(discard);
    this.#end(this.#status, 'cut');
  }

  fault(error: unknown): void {
    if (this.#handler?.fault !== undefined) this.#handler.fault(error);
    else {
      this.abort(true);
      this.#handler?.onGone();
    }
  }

  onWritable(): void {
    this.#handler?.onWritable();
  }

  onGone(): void {
    this.#end(0, 'gone');
    this.#handler?.onGone();
  }

  /** Answers with a whole body. */
  answer(status: number, contentType: string, body: string): void {
    const bytes = Buffer.from(body);
    this.writeHead({ status, reason: reasonPhrase(status), headers: ['Content-Type', contentType] }, bytes.length);
    this.end(bytes);
  }

  #end(status: number, end: 'complete' | 'cut' | 'gone'): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd(status, end);
  }

  #headers(answer: RawHeaders): string[] {
    const headers: string[] = [];
    for (let i = 0; i < answer.length; i += 2) {
      const name = answer[i] as string;
      if (!ACCESS.has(name.toLowerCase())) headers.push(name, answer[i + 1] as string);
    }
    if (headerValue(headers, 'cache-control') === undefined) headers.push('Cache-Control', NO_CACHE);
    if (headerValue(headers, 'x-content-type-options') === undefined) headers.push('X-Content-Type-Options', 'nosniff');
    const grant = sockJsGrant(this.#request, this.#origins);
    if (grant !== undefined) headers.push('Access-Control-Allow-Origin', grant.origin);
    if (grant?.credentials) headers.push('Access-Control-Allow-Credentials', 'true');
    const asked = grant && askedHeaders(this.#request);
    if (asked !== undefined) headers.push('Access-Control-Allow-Headers', asked);
    return varyingByOrigin(headers);
  }
}

/** An Origin that can be repeated: one value without spaces, which is not the wildcard. */
const REPEATABLE = /^(?!\*$)[!-+\--~]+$/;

/**
 * The library asks with the user's cookies, and browsers do not give it an answer that is for `*`. Where every site may ask, so
 * may a page that has no origin (`null`: a file, an app's own page, a sandbox), with no more than all others have. A list of
 * origins never has it.
 */
function sockJsGrant(request: RawHeaders, origins: AllowedOrigins): Grant | undefined {
  const grant = grantOf(request, origins);
  const [origin, ...others] = headerValues(request, 'origin');
  const isAnyones = origins.isAny && others.length === 0 && origin !== undefined && REPEATABLE.test(origin);
  return isAnyones ? { origin, credentials: true } : grant;
}
