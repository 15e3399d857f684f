/** Wraps the answer to a JSON-P call into a script that calls a function. */
import { type RawHeaders, type ResponseHead, textFromWire } from '@holdfast/grip';
import { clientHeaders } from '../edge/client-headers.js';
import { type ClientResponse, ResponseWrapper } from '../edge/port.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import type { JsonpCall } from './jsonp-request.js';

/**
 * Answers up to this many bytes are wrapped whole, so that one that cannot be is still refused with a status.
 *
 * @limit {} bytes of an answer to JSON-P that are wrapped whole
 * @over a longer one is wrapped as it comes
 */
const WHOLE_MAX = 100_000;

/** What an answer says of caches. */
const CACHING = new Set(['cache-control', 'vary']);

/** The script is what it says that it is: no page can have it read as something else (Fetch standard). */
const NOSNIFF = ['X-Content-Type-Options', 'nosniff'];

/** Fields that no script may read (Fetch standard, forbidden response-header names), nor have set by loading it. */
const COOKIES = new Set(['set-cookie', 'set-cookie2']);

const FAULT = 'Upstream response could not be JSON-P encoded.\n';

/**
 * Wraps every answer. Streams that are held open go out as they are: a script that never ends calls nothing.
 */
export class JsonpResponse extends ResponseWrapper {
  /** It becomes a part of a script. */
  readonly readsBody = true;
  readonly #call: JsonpCall;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #head: ResponseHead | undefined;
  #raw = false;
  #streaming = false;
  #over = false;
  #kept = new KeptBytes();
  /** A newline that may be the last byte of a body that is not quoted. */
  #newline = '';

  constructor(inner: ClientResponse, call: JsonpCall) {
    super(inner);
    this.#call = call;
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    this.#head = head;
    this.#raw = flush === true;
    if (this.#raw) super.writeHead({ ...head, headers: asScriptFields(head.headers) }, length, flush);
  }

  override write(chunk: Buffer): boolean {
    if (this.#raw) return super.write(chunk);
    if (this.#over) return true;
    if (!this.#streaming) {
      this.#kept.add(chunk);
      if (this.#kept.length <= WHOLE_MAX) return true;
      this.#streaming = true;
      super.writeHead(this.#scriptHead, undefined);
      const body = this.#kept.whole();
      this.#kept = new KeptBytes();
      return this.#stream(this.#begin, body);
    }
    return this.#stream('', chunk);
  }

  override end(chunk?: Buffer): void {
    if (this.#raw) super.end(chunk);
    else if (!this.#over) {
      if (chunk !== undefined) this.write(chunk);
      if (this.#over) return;
      this.#over = true;
      if (this.#streaming) this.#finish();
      else this.#whole();
    }
  }

  /** The end of a long body may lie within a character. */
  #finish(): void {
    try {
      super.end(Buffer.from(this.#encode(this.#decoder.decode()) + this.#close));
    } catch {
      super.abort();
    }
  }

  #whole(): void {
    let text: string;
    try {
      text = this.#decoder.decode(this.#kept.whole());
    } catch {
      const headers = ['Content-Type', 'text/plain', 'Cache-Control', 'no-store', ...NOSNIFF];
      super.writeHead({ status: 500, reason: 'Internal Server Error', headers }, FAULT.length);
      super.end(Buffer.from(FAULT));
      return;
    }
    const script = Buffer.from(this.#begin + this.#encode(text) + this.#close);
    super.writeHead(this.#scriptHead, script.length);
    super.end(script);
  }

  #stream(before: string, chunk: Buffer): boolean {
    try {
      return super.write(Buffer.from(before + this.#encode(this.#decoder.decode(chunk, { stream: true }))));
    } catch {
      this.#over = true;
      super.abort();
      return true;
    }
  }

  get #scriptHead(): ResponseHead {
    const headers = ['Content-Type', 'application/javascript', ...NOSNIFF];
    const answer = this.#head?.headers ?? [];
    // The script has what the answer has: it may be kept as long, and for no other requests.
    for (let i = 0; i < answer.length; i += 2) {
      const name = answer[i] as string;
      if (CACHING.has(name.toLowerCase())) headers.push(name, answer[i + 1] as string);
    }
    return { status: 200, reason: 'OK', headers: this.#call.isRestricted ? varyingBySite(headers) : headers };
  }

  get #begin(): string {
    const { callback, mode } = this.#call;
    if (mode === 'basic') return `/**/${callback}(`;
    const { status = 200, reason = '', headers = [] } = this.#head ?? {};
    const fields = quote(firstValues(clientHeaders(headers)));
    return `/**/${callback}({"code": ${status}, "reason": ${quote(textFromWire(reason))}, "headers": ${fields}, "body": "`;
  }

  get #close(): string {
    return this.#call.mode === 'basic' ? ');\n' : '"});\n';
  }

  #encode(text: string): string {
    if (this.#call.mode === 'extended') return quote(text).slice(1, -1);
    const whole = this.#newline + text;
    this.#newline = whole.endsWith('\n') ? '\n' : '';
    return this.#newline === '' ? whole : whole.slice(0, -1);
  }
}

/** Of a stream that is not wrapped, but is the answer to a script all the same. */
function asScriptFields(headers: RawHeaders): string[] {
  const kept: string[] = [...NOSNIFF];
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (!COOKIES.has(lower) && lower !== 'x-content-type-options') {
      kept.push(headers[i] as string, headers[i + 1] as string);
    }
  }
  return kept;
}

/** Which site asks decides whether there is an answer: a cache must not give one site's to another. */
function varyingBySite(headers: readonly string[]): string[] {
  return [...headers, 'Vary', 'Origin, Sec-Fetch-Site, Referer'];
}

/** JSON that is also a script: two characters end a line in scripts before ES2019. */
function quote(value: unknown): string {
  return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function firstValues(headers: RawHeaders): Record<string, string> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  const seen = new Set<string>(COOKIES);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!seen.has(name.toLowerCase())) values[name] = textFromWire(headers[i + 1] as string);
    seen.add(name.toLowerCase());
  }
  return values;
}
