/** Reads a JSON-P request: a GET whose query says what the script wants to send. */
import { headerFault, type RawHeaders, readJson, wireFromText } from '@holdfast/grip';
import type { BodySink, ClientBody, ClientRequest } from '../edge/port.js';
import type { JsonpRule } from '../routes/route.js';
import { isForbiddenField } from '../routes/script-fields.js';

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

/** A parameter that cannot be used; the message is the text of the answer, without the newline. */
export class JsonpFault extends Error {}

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

/** Reads a JSON-P call; undefined for any other request. Throws a `JsonpFault` for parameters that cannot be used. */
export function readJsonp(request: ClientRequest, rule: JsonpRule): JsonpCall | undefined {
  const mark = request.path.indexOf('?');
  if (request.method !== 'GET' || mark < 0) return undefined;
  const query = new Query(request.path.slice(mark + 1));
  const implied = rule.defaultCallback !== undefined && rule.body !== undefined && query.has(rule.body);
  if (!query.has(rule.callback) && !implied) return undefined;
  const callback = query.take(rule.callback) ?? rule.defaultCallback ?? '';
  if (!isCallbackName(callback)) throw new JsonpFault('Invalid callback parameter.');
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
  if (!methods.has(method)) throw new JsonpFault('Invalid _method parameter.');
  return method;
}

/** The fields that a script may choose; others are left out, as browsers do it. Two of one name are one too many. */
function readHeaders(text: string | undefined, { headers: allowed }: JsonpRule): string[] {
  if (text === undefined) return [];
  const fault = new JsonpFault('Invalid _headers parameter.');
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
  const others: string[] = [];
  for (let i = 0; i < named.length; i += 2) {
    if ((named[i] as string).toLowerCase() !== 'content-type') others.push(named[i] as string, named[i + 1] as string);
  }
  return [...others, 'Content-Type', type];
}

/** The fields that the script named, then the client's others. */
function headersOf(request: ClientRequest, named: string[], content: Buffer | undefined): RawHeaders {
  // The browser accepts codings of the script: the answer must be read first.
  const headers = ['Host', request.host, 'Accept', '*/*', 'Accept-Encoding', 'identity', ...named];
  if (content !== undefined) headers.push('Content-Length', String(content.length));
  const taken = new Set(['content-length', 'transfer-encoding']);
  for (let i = 0; i < headers.length; i += 2) taken.add((headers[i] as string).toLowerCase());
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i] as string;
    if (!taken.has(name.toLowerCase())) headers.push(name, request.headers[i + 1] as string);
  }
  return headers;
}

/** A path of names and indices. Anything else would let the author of a link run a script. */
const CALLBACK = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*|\[\w+\])*$/;

/** Whether an answer may begin with a call of this name, of JSON-P or SockJS. */
export function isCallbackName(text: string): boolean {
  return CALLBACK.test(text);
}
