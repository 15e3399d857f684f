/**
 * The answers of the control API: status, text and form.
 *
 * Owns: Pushpin's exact texts and their JSON form. Does not own: which answer a request gets (server.ts), and how
 * connections end (linger.ts).
 */
import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { GripError, MAX_NAME_BYTES } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import { PartlyPublished, type PublishReceipt } from '../publisher.js';
import { acceptedCodings } from './content-coding.js';
import type { Format } from './negotiate.js';

/**
 * One answer, before it has a form. As text it is `message` and a line feed; as JSON an object with `message`, with
 * `items` after a publish, also one that was accepted in part, and with `code` and `detail` when refused, or a view, and a line feed.
 */
export interface Answer {
  readonly status: number;
  readonly message: string;
  /** The `ERR_…` code of a refusal. */
  readonly code?: string;
  /** What the message of a refusal leaves out, as publishers know its exact text; in JSON, and in the log. */
  readonly detail?: string;
  readonly items?: readonly PublishReceipt[];
  /** The members of the JSON form, in the place of those above; for answers that are always JSON. */
  readonly view?: object;
  /** What went wrong, for the log; never shown to the client. */
  readonly cause?: unknown;
  /** An additional header, name and value. */
  readonly header?: readonly [string, string];
  /** The connection is closed after it, so that its client opens the next one elsewhere. */
  readonly closes?: true;
}

/** `/`: scripts use it to see whether the control port answers. The text is part of the compatibility contract. */
export const root: Answer = { status: 200, message: 'Pushpin API' };
/** After `/recover/`. */
export const updated: Answer = { status: 200, message: 'Updated' };
/** After `/publish/`: the items' receipts are shown in JSON only. */
export const published = (items: readonly PublishReceipt[]): Answer => ({ status: 200, message: 'Published', items });

/** What a view shows. */
export const shown = (view: object): Answer => ({ status: 200, message: 'OK', view });

const refusal = (status: number, code: ControlError['code'], message: string): Answer => ({ status, code, message });

function busy(code: ControlError['code'], message: string): Answer {
  return { ...refusal(503, code, message), header: ['Retry-After', '5'] };
}

export const notFound = refusal(404, 'ERR_CONTROL_NOT_FOUND', 'Not Found');
export const notAcceptable = refusal(
  406,
  'ERR_CONTROL_ACCEPT',
  'Not Acceptable. Supported formats are text/plain and application/json.',
);
export const lengthRequired = refusal(411, 'ERR_CONTROL_LENGTH_REQUIRED', 'Request requires Content-Length.');
/** Pushpin says 400, and no more than that it is too large. The limit is in bytes, and of a compressed body counts twice. */
export const bodyTooLarge = (limit: number): Answer =>
  refusal(
    413,
    'ERR_CONTROL_BODY_TOO_LARGE',
    `Request body too large: the limit is ${limit} bytes (push_in_http_max_body_size).`,
  );
/** Pushpin says 400, and no more than that it is too large. The limit is in bytes. */
export const headerTooLarge = (limit: number): Answer =>
  refusal(
    431,
    'ERR_CONTROL_HEADER_TOO_LARGE',
    `Request header too large: the limit is ${limit} bytes (push_in_http_max_headers_size).`,
  );
/** RFC 9110 §15.5.16: the field says what would be taken. */
export const unknownCoding: Answer = {
  ...refusal(415, 'ERR_CONTROL_CODING', `Unsupported Content-Encoding: expected one of ${acceptedCodings}, or none.`),
  header: ['Accept-Encoding', acceptedCodings],
};
export const codingMalformed = (coding: string): Answer =>
  refusal(400, 'ERR_CONTROL_CODING', `Body is not ${coding}, as Content-Encoding says, or is cut short.`);
export const malformed = refusal(400, 'ERR_CONTROL_MALFORMED', 'Malformed request.');
export const timedOut = refusal(408, 'ERR_CONTROL_TIMEOUT', 'Request timed out.');

/** The name in the path of a view is no percent-encoded UTF-8. */
export const nameMalformed = refusal(400, 'ERR_CONTROL_NAME', 'Malformed name in the path.');
/** Nothing has so long a name. */
export const nameTooLong = refusal(400, 'ERR_CONTROL_NAME', `Name of more than ${MAX_NAME_BYTES} bytes in the path.`);
export const noMoreTaps = busy('ERR_CONTROL_TAPS', 'This node is stopping.');
/** Publishers behind a load balancer come back to another node by it. */
export const stopping: Answer = {
  ...busy(
    'ERR_CONTROL_STOPPING',
    'This node is stopping, and nothing published to it would reach anybody. Publish again to a node that runs.',
  ),
  closes: true,
};
export const tooManyViews = busy('ERR_CONTROL_VIEWS', 'Too many views at a time on this node.');
export const tooSlow = busy('ERR_CONTROL_CONNECTIONS', 'Too many connections, and this request was the slowest.');

export const foreignPage = refusal(
  403,
  'ERR_CONTROL_PAGE',
  'Forbidden: Origin or Sec-Fetch-Site is that of a web page of another site.',
);
export const foreignHost = refusal(
  403,
  'ERR_CONTROL_HOST',
  'Forbidden: this listener is not reached under the name in Host. The option control_hosts lists further names.',
);
export const expectationFailed = refusal(417, 'ERR_CONTROL_EXPECT', 'Expectation failed: only 100-continue is known.');

/** No node that answered has the connection; those that are named did not answer. */
export function connectionUnknown(silent: readonly string[]): Answer {
  const unknown = refusal(404, 'ERR_CONTROL_CONNECTION', 'No such connection.');
  return { ...unknown, view: { message: unknown.message, code: unknown.code, silent } };
}

/** For a known path that takes only these methods, as Allow lists them. */
export function methodNotAllowed(method: string, allowed = 'POST'): Answer {
  return {
    ...refusal(405, 'ERR_CONTROL_METHOD', `Method not allowed: ${method}.`),
    header: ['Allow', allowed],
  };
}

/**
 * The answer to a request that failed with `error`: 400 with the text of a `GripError`; 503 when the node is stopping, or the
 * backplane did not accept, so that publishers try again, with the receipts of what it did accept; 500 without details for
 * anything else.
 */
export function answerTo(error: unknown): Answer {
  if (error instanceof GripError && error.side === 'client')
    return {
      status: 400,
      code: error.code,
      message: error.message,
      ...(error.detail !== undefined && { detail: error.detail }),
    };
  if (error instanceof ControlError && error.code === 'ERR_CONTROL_STOPPING') return stopping;
  if (error instanceof ControlError && error.code.startsWith('ERR_BACKPLANE_')) {
    return {
      ...refusal(503, error.code, unavailableText(error)),
      ...receiptsOf(error),
      header: ['Retry-After', '1'],
      cause: error,
    };
  }
  return { ...refusal(500, 'ERR_CONTROL_INTERNAL', 'Internal error.'), cause: error };
}

/** Items that a text names one by one; the receipts name all. */
const MAX_NAMED = 10;

/** What is said of a backplane that did not accept, over HTTP and ZeroMQ: where it did accept some items, which it did not. */
export function unavailableText(error: ControlError): string {
  if (!(error instanceof PartlyPublished)) return 'Backplane unavailable.';
  const { accepted, receipts } = error;
  const missing = receipts.flatMap((receipt, at) => (receipt.accepted ? [] : [`items[${at}]`]));
  const named = missing.slice(0, MAX_NAMED).join(', ');
  const rest = missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : '';
  return `Backplane unavailable: ${accepted} of ${receipts.length} items accepted, but not ${named}${rest}.`;
}

function receiptsOf(error: ControlError): Pick<Answer, 'items'> {
  return error instanceof PartlyPublished ? { items: error.receipts } : {};
}

/** An answer in its form: header fields as a flat list of names and values, and the body, always in UTF-8. */
export interface EncodedAnswer {
  readonly headers: string[];
  readonly body: string;
}

/** Gives an answer its form; with `close` the client is told that the connection ends. */
export function encodeAnswer(answer: Answer, format: Format, close: boolean): EncodedAnswer {
  const body = format === 'text' ? `${answer.message}\n` : `${json(answer)}\n`;
  const headers = [
    'Content-Type',
    format === 'text' ? 'text/plain' : 'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
  ];
  if (answer.header) headers.push(...answer.header);
  if (close) headers.push('Connection', 'close');
  return { headers, body };
}

function json({ message, items, code, detail, view }: Answer): string {
  // Absent fields are left out by JSON.stringify.
  return JSON.stringify(view ?? { message, items, code, detail });
}

/** Sends an answer and completes the response. Harmless when the client has gone. */
export function send(response: ServerResponse, answer: Answer, format: Format, close: boolean): void {
  const { headers, body } = encodeAnswer(answer, format, close);
  response.writeHead(answer.status, headers).end(body);
}

/** An answer as raw bytes, for connections whose request never became one. Always text, always the last. */
export function rawAnswer(answer: Answer): string {
  const { headers, body } = encodeAnswer(answer, 'text', true);
  let head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n${body}`;
}
