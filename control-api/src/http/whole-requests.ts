/**
 * Reading a request that has come whole and in a strict form: one of the paths that are asked for, HTTP/1.1, names that are tokens
 * (RFC 9110 §5.6.2), values of printable ASCII, no name twice, a Content-Length of digits alone, and no field that changes the
 * framing, the connection or the coding. Everything else is for node's parser, so that there is one reading of what could be read
 * in two ways.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** A request with its body. */
export interface WholeRequest {
  readonly method: 'POST';
  readonly url: string;
  /** By names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** A view of the bytes that were read. */
  readonly body: Buffer;
}

/** A request and how many bytes it takes; `partial` where it has not come whole, `other` where it is not of the strict form. */
export type WholeRead = { readonly request: WholeRequest; readonly length: number } | 'partial' | 'other';

const HEAD_END = '\r\n\r\n';

/** A value neither begins nor ends with a space. */
const field = /([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|)[ \t]*\r\n/y;

/** With these a request is not of the strict form. */
const others: ReadonlySet<string> = new Set([
  ...['transfer-encoding', 'te', 'trailer', 'expect', 'upgrade', 'proxy-connection', 'http2-settings'],
  ...['content-encoding', 'origin', 'prefer', '__proto__'],
]);

/** Reads requests for these paths by POST, with heads of at most so many bytes. */
export class WholeReader {
  readonly #urls: readonly string[];
  readonly #starts: readonly string[];
  readonly #maxHead: number;
  readonly #maxBytes: number;

  /** `maxBytes` is for head and body together. */
  constructor(urls: readonly string[], maxHead: number, maxBytes: number) {
    this.#urls = urls;
    this.#starts = urls.map((url) => `POST ${url} HTTP/1.1\r\n`);
    this.#maxHead = maxHead;
    this.#maxBytes = maxBytes;
  }

  /** The request that these bytes, at least one, begin with. */
  read(bytes: Buffer): WholeRead {
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, this.#maxHead));
    const at = this.#starts.findIndex((start) => text.startsWith(start));
    const start = this.#starts[at];
    if (start === undefined) return this.#starts.some((one) => one.startsWith(text)) ? 'partial' : 'other';
    const end = text.indexOf(HEAD_END, start.length - 2);
    if (end === -1) return bytes.length < this.#maxHead ? 'partial' : 'other';
    const headers: Record<string, string> = {};
    const rawHeaders: string[] = [];
    field.lastIndex = start.length;
    while (field.lastIndex < end + 2) {
      const match = field.exec(text);
      if (match === null) return 'other';
      const [, raw = '', value = ''] = match;
      const name = raw.toLowerCase();
      if (headers[name] !== undefined || others.has(name)) return 'other';
      if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return 'other';
      headers[name] = value;
      rawHeaders.push(raw, value);
    }
    const size = headers['content-length'] ?? '';
    if (!/^\d{1,9}$/.test(size)) return 'other';
    const from = end + HEAD_END.length;
    const length = from + Number(size);
    if (length > this.#maxBytes) return 'other';
    if (length > bytes.length) return 'partial';
    const url = this.#urls[at] as string;
    return { request: { method: 'POST', url, headers, rawHeaders, body: bytes.subarray(from, length) }, length };
  }
}
