/** JSON-P: a GET whose query says which request a script means, and the script that gives it the answer. */
import { headerFault, type RawHeaders, type ResponseHead, readJson, textFromWire, wireFromText } from '@holdfast/grip';
import { clientHeaders } from '../edge/client-headers.js';
import {
  type BodySink,
  type ClientBody,
  type ClientRequest,
  type ClientResponse,
  ResponseWrapper,
} from '../edge/port.js';
import { RequestError } from '../errors.js';
import type { JsonpRule } from '../routes/route.js';
import { isForbiddenField } from '../routes/script-fields.js';
import { KeptBytes } from '../runtime/kept-bytes.js';

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

/** What is left out of a stream that a script reads. */
const NOT_OF_SCRIPTS = new Set([...COOKIES, 'x-content-type-options']);

const FAULT = 'Upstream response could not be JSON-P encoded.\n';

/** How the answer is to be given. */
export interface JsonpCall {
  /** The request that the script means. */
  readonly request: ClientRequest;
  /** Name of the function that gets the answer. */
  readonly callback: string;
  readonly mode: JsonpRule['mode'];
  /** Not every site may call. */
  readonly isRestricted?: boolean;
}

/** A body that is here already. */
class WholeBody implements ClientBody {
  readonly length: number;
  readonly #content: Buffer;

  constructor(content: Buffer) {
    this.#content = content;
    this.length = content.length;
  }

  read(sink: BodySink): void {
    sink.onData(this.#content);
    sink.onEnd();
  }

  pause(): void {}

  resume(): void {}
}

/** The parameters of a query, decoded, and what is left of it when some are taken. */
class Query {
  readonly #parts: { readonly text: string; readonly name: string; readonly value: string }[];

  constructor(query: string) {
    this.#parts = query.split('&').flatMap((text) => {
      const equals = text.indexOf('=');
      const name = decode(equals < 0 ? text : text.slice(0, equals));
      return text === '' ? [] : [{ text, name, value: equals < 0 ? '' : decode(text.slice(equals + 1)) }];
    });
  }

  has(name: string | undefined): boolean {
    return this.#parts.some((part) => part.name === name);
  }

  take(name: string): string | undefined {
    const index = this.#parts.findIndex((part) => part.name === name);
    return index < 0 ? undefined : this.#parts.splice(index, 1)[0]?.value;
  }

  get rest(): string {
    return this.#parts.map((part) => part.text).join('&');
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads a JSON-P call; undefined for any other request. Throws ERR_REQUEST_JSONP for parameters that cannot be used. */
export function readJsonp(request: ClientRequest, rule: JsonpRule): JsonpCall | undefined {
  const mark = request.path.indexOf('?');
  if (request.method !== 'GET' || mark < 0) return undefined;
  const query = new Query(request.path.slice(mark + 1));
  const implied = rule.defaultCallback !== undefined && rule.body !== undefined && query.has(rule.body);
  if (!query.has(rule.callback) && !implied) return undefined;
  const callback = query.take(rule.callback) ?? rule.defaultCallback ?? '';
  if (!isCallbackName(callback)) throw jsonpError('Invalid callback parameter.');
  const method = readMethod(query.take('_method'), rule);
  const named = readHeaders(query.take('_headers'), rule);
  const body = query.take(rule.body ?? '_body');
  const typed = rule.body !== undefined && body !== undefined ? withType(named, 'application/json') : named;
  const { rest } = query;
  const content = body === undefined ? undefined : Buffer.from(body);
  const meant = {
    ...request,
    method,
    path: request.path.slice(0, mark) + (rest === '' ? '' : `?${rest}`),
    headers: headersOf(request, typed, content),
    body: content && new WholeBody(content),
  };
  return { request: meant, callback, mode: rule.mode };
}

/** In capitals where that is a usual method: scripts write them in any case, and browsers send them so. */
function readMethod(text: string | undefined, { methods, defaultMethod }: JsonpRule): string {
  if (text === undefined) return defaultMethod;
  const upper = text.toUpperCase();
  const method = methods.has(upper) ? upper : text;
  if (!methods.has(method)) throw jsonpError('Invalid _method parameter.');
  return method;
}

/** The fields that a script may choose; others are left out, as browsers do it. Two of one name are one too many. */
function readHeaders(text: string | undefined, { headers: allowed }: JsonpRule): string[] {
  if (text === undefined) return [];
  const fault = jsonpError('Invalid _headers parameter.');
  const { value } = readJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault;
  const headers: string[] = [];
  const names = new Set<string>();
  for (const [name, field] of Object.entries(value)) {
    if (typeof field !== 'string' || headerFault(name, wireFromText(field)) !== undefined) throw fault;
    const lower = name.toLowerCase();
    if (names.has(lower)) throw fault;
    names.add(lower);
    if (isForbiddenField(name) || allowed?.has(lower) === false) continue;
    headers.push(name, wireFromText(field));
  }
  return headers;
}

/** What the proxy itself says of the body goes before what the script says of it. */
function withType(named: readonly string[], type: string): string[] {
  return [...without(named, new Set(['content-type'])), 'Content-Type', type];
}

/** The fields but for those with these names, which are in lower case. */
function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!names.has((headers[i] as string).toLowerCase())) others.push(headers[i] as string, headers[i + 1] as string);
  }
  return others;
}

/** The fields that the script named, then the client's others. */
function headersOf(request: ClientRequest, named: string[], content: Buffer | undefined): RawHeaders {
  // The browser accepts codings of the script: the answer must be read first.
  const headers = ['Host', request.host, 'Accept', '*/*', 'Accept-Encoding', 'identity', ...named];
  if (content !== undefined) headers.push('Content-Length', String(content.length));
  const taken = new Set(['content-length', 'transfer-encoding']);
  for (let i = 0; i < headers.length; i += 2) taken.add((headers[i] as string).toLowerCase());
  return [...headers, ...without(request.headers, taken)];
}

/** A path of names and indices. Anything else would let the author of a link run a script. */
const CALLBACK = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*|\[\w+\])*$/;

/** Whether an answer may begin with a call of this name, of JSON-P or SockJS. */
export function isCallbackName(text: string): boolean {
  return CALLBACK.test(text);
}

function jsonpError(text: string): RequestError {
  return new RequestError('ERR_REQUEST_JSONP', text);
}

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
    if (this.#raw)
      super.writeHead({ ...head, headers: [...NOSNIFF, ...without(head.headers, NOT_OF_SCRIPTS)] }, length, flush);
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
    // Which site asks decides whether there is an answer: a cache must not give one site's to another.
    if (this.#call.isRestricted) headers.push('Vary', 'Origin, Sec-Fetch-Site, Referer');
    return { status: 200, reason: 'OK', headers };
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
