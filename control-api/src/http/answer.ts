/** The answers of the control API, with the exact texts that Pushpin has, and their forms as text and as JSON. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { GripError, MAX_NAME_BYTES } from '@holdfast/grip';
import { ControlError, type ControlErrorCode, errorRow } from '../errors.js';
import { PartlyPublished, type PublishReceipt } from '../publisher.js';
import { acceptedCodings } from './body.js';
import type { Format } from './negotiate.js';
import { receiptNotes } from './receipt-notes.js';

/**
 * One answer, before it has a form. As text it is `message` and a line feed, with notes a line for each; as JSON an object with `message`, with
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
  /** Nodes that did not answer when the reach of a publish was counted; in JSON. */
  readonly silent?: readonly string[];
  /** The text has what its reader should know of the receipts, after the message. */
  readonly isNoted?: boolean;
  /** The members of the JSON form, in the place of those above; for answers that are always JSON. */
  readonly view?: object;
  /** In the place of all forms: a web page, or metrics, with its media type. The status line stays that of the answer. */
  readonly content?: { readonly type: string; readonly body: string };
  /** The channel that a refusal is about; in JSON, and in the log. */
  readonly channel?: string;
  /** What went wrong, for the log; never shown to the client. */
  readonly cause?: unknown;
  /** Fields for the log alone: why a credential was refused. */
  readonly logged?: Readonly<Record<string, unknown>>;
  /** Additional header fields, names and values in turn. */
  readonly header?: readonly string[];
  /** The connection is closed after it, so that its client opens the next one elsewhere. */
  readonly closes?: true;
  /** The name of the limit that refused the request, to be counted; of a publish the publisher counts it. */
  readonly limit?: string;
}

/** `/`: scripts use it to see whether the control port answers. The text is part of the compatibility contract. */
export const root: Answer = { status: 200, message: 'Pushpin API' };
/** After `/recover/`. */
export const updated: Answer = { status: 200, message: 'Updated' };
/**
 * After `/publish/`: the items' receipts are shown in JSON, and in text only noted. Without notes the text is that of Pushpin, byte for
 * byte.
 */
export const published = (items: readonly PublishReceipt[], isNoted: boolean): Answer => ({
  status: 200,
  message: 'Published',
  items,
  isNoted,
});

/** After `/publish/` where the reach was to be counted within so many ms, and was. */
export const publishedTo = (
  items: readonly PublishReceipt[],
  silent: readonly string[],
  preferred: number | undefined,
): Answer => ({
  ...published(items, true),
  silent,
  ...(preferred !== undefined && { header: ['Preference-Applied', `wait=${preferred}`] }),
});

/** After a question of a browser that was answered by header fields. */
export const granted: Answer = { status: 200, message: 'OK' };

/** What was made, as a view shows it. */
export const created = (view: object): Answer => ({ status: 201, message: 'Created', view });

/** What a view shows. */
export const shown = (view: object): Answer => ({ status: 200, message: 'OK', view });

/** The answer of a code, by its row; with a text of its own where that depends on the case. */
function refusal(code: ControlErrorCode, text?: string): Answer {
  const { status = 500, text: usual = '', retryAfter } = errorRow(code);
  const answer: Answer = { status, code, message: text ?? usual };
  return retryAfter === undefined ? answer : { ...answer, header: ['Retry-After', String(retryAfter)] };
}

export const notFound = refusal('ERR_CONTROL_NOT_FOUND');
export const notAcceptable = refusal('ERR_CONTROL_ACCEPT');
export const lengthRequired = refusal('ERR_CONTROL_LENGTH_REQUIRED');
/** Pushpin says 400, and no more than that it is too large. The limit is in bytes, and of a compressed body counts twice. */
export const bodyTooLarge = (limit: number): Answer =>
  refusal(
    'ERR_CONTROL_BODY_TOO_LARGE',
    `Request body too large: the limit is ${limit} bytes (push_in_http_max_body_size).`,
  );
/** Pushpin says 400, and no more than that it is too large. The limit is in bytes. */
export const headerTooLarge = (limit: number): Answer =>
  refusal(
    'ERR_CONTROL_HEADER_TOO_LARGE',
    `Request header too large: the limit is ${limit} bytes (push_in_http_max_headers_size).`,
  );
/** RFC 9110 §15.5.16: the field says what would be taken. */
export const unknownCoding: Answer = {
  ...refusal('ERR_CONTROL_CODING', `Unsupported Content-Encoding: expected one of ${acceptedCodings}, or none.`),
  header: ['Accept-Encoding', acceptedCodings],
};
/** 400, not 415: the coding is known. */
export const codingMalformed = (coding: string): Answer => ({
  ...refusal('ERR_CONTROL_CODING', `Body is not ${coding}, as Content-Encoding says, or is cut short.`),
  status: 400,
});
export const malformed = refusal('ERR_CONTROL_MALFORMED');
export const timedOut = refusal('ERR_CONTROL_TIMEOUT');

/** The name in the path of a view is no percent-encoded UTF-8. */
export const nameMalformed = refusal('ERR_CONTROL_NAME');
/** Nothing has so long a name. */
export const nameTooLong = refusal('ERR_CONTROL_NAME', `Name of more than ${MAX_NAME_BYTES} bytes in the path.`);
/** No channel may have this name: see `channelNameFault`. */
export const nameRefused = (fault: string): Answer => ({
  ...refusal('ERR_CONTROL_NAME', `Bad name in the path: ${fault}.`),
  limit: 'channel_name_max',
});
/** This node keeps none. */
export const noHistory = refusal('ERR_CONTROL_HISTORY');
/** It has kept some, but not all that was asked for. */
export const historyGone: Answer = {
  ...refusal('ERR_CONTROL_HISTORY', 'Not all items after this position are kept any more.'),
  status: 410,
};
export const noMoreTaps = refusal('ERR_CONTROL_TAPS');
/** Publishers behind a load balancer come back to another node by it. */
export const stopping: Answer = { ...refusal('ERR_CONTROL_STOPPING'), closes: true };
export const tooManyViews = refusal('ERR_CONTROL_VIEWS');
export const tooManyRevocations = refusal('ERR_CONTROL_REVOCATIONS');
export const tooSlow = refusal('ERR_CONTROL_CONNECTIONS');
export const foreignPage = refusal('ERR_CONTROL_PAGE');
export const foreignHost = refusal('ERR_CONTROL_HOST');
export const expectationFailed = refusal('ERR_CONTROL_EXPECT');

const challenge = 'Bearer realm="holdfast"';
const badToken = ['WWW-Authenticate', `${challenge}, error="invalid_token"`];
const tooNarrow = ['WWW-Authenticate', `${challenge}, error="insufficient_scope"`];

/** There is no credential (RFC 6750 §3). */
export const unauthenticated: Answer = {
  ...refusal('ERR_CONTROL_UNAUTHENTICATED'),
  header: ['WWW-Authenticate', challenge],
};
/** There is one, but it is none of ours, or counts no more: why is for the log only. */
export const unauthenticatedBy = (logged: Readonly<Record<string, unknown>>): Answer => ({
  ...refusal('ERR_CONTROL_UNAUTHENTICATED'),
  header: badToken,
  logged,
});
/** Which of them is meant must not be guessed. */
export const severalCredentials = refusal(
  'ERR_CONTROL_MALFORMED',
  'Malformed request: it has two different credentials.',
);
/** Nobody can say whether it is right. */
export const credentialsUnavailable = refusal('ERR_CONTROL_JWKS');
/** The caller is known, and may not do it. */
export const forbidden: Answer = { ...refusal('ERR_CONTROL_FORBIDDEN'), header: tooNarrow };
/** It may not do it on this channel. */
export const forbiddenChannel = (channel: string): Answer => ({
  ...forbidden,
  message: 'Forbidden: the key does not cover the channel.',
  channel,
});
/** It may publish so many items later, or fewer at once; draft-ietf-httpapi-ratelimit-headers-10. */
export function tooManyItems(
  { burst, left, retryAfter }: { readonly burst: number; readonly left: number; readonly retryAfter: number },
  items: number,
): Answer {
  const text =
    items > burst
      ? `Too many items: the key may publish at most ${burst} at once.`
      : `Too many items: try again in ${retryAfter} s.`;
  return {
    ...refusal('ERR_CONTROL_RATE', text),
    header: [
      ...['Retry-After', String(retryAfter)],
      ...['RateLimit-Policy', `"key";q=${burst};w=2`],
      ...['RateLimit', `"key";r=${left};t=${retryAfter}`],
    ],
  };
}

/** No node that answered has the connection; `silent` are those that did not answer. */
export function connectionUnknown(silent: readonly string[]): Answer {
  const unknown = refusal('ERR_CONTROL_CONNECTION');
  return { ...unknown, view: { message: unknown.message, code: unknown.code, silent } };
}

/** No node that answered has a connection of the user, or remembers one. */
export function userUnknown(silent: readonly string[]): Answer {
  const unknown = refusal('ERR_CONTROL_USER');
  return { ...unknown, view: { message: unknown.message, code: unknown.code, silent } };
}

/** The connection, or the last one of the user, has ended; `silent` are nodes that did not answer. */
export function connectionEnded(silent: readonly string[]): Answer {
  const ended = refusal('ERR_CONTROL_GONE');
  return { ...ended, view: { message: ended.message, code: ended.code, silent } };
}

/** The connection cannot be subscribed as it was to be; `why` is a part of the text. */
export const subscribeRefused = (why: string): Answer =>
  refusal('ERR_CONTROL_SUBSCRIBE', `The connection cannot be subscribed: ${why}.`);

/** A parameter of the query, or a member of the body, is none that could be used; `why` is a part of the text. */
export const argumentRefused = (why: string): Answer => refusal('ERR_CONTROL_ARGUMENT', `Bad request: ${why}.`);

/** The node is about to end: its drain cannot be taken back. */
export function drainFinal(state: object): Answer {
  const final = refusal('ERR_CONTROL_DRAIN');
  return { ...final, view: { message: final.message, code: final.code, ...state } };
}

/** For a known path that takes only these methods, as Allow lists them. */
export function methodNotAllowed(method: string, allowed = 'POST'): Answer {
  return {
    ...refusal('ERR_CONTROL_METHOD', `Method not allowed: ${method}.`),
    header: ['Allow', allowed],
  };
}

/**
 * The answer to a request that failed with `error`: 400 with the text of a `GripError`; that of a callback by its code; 413 for too many items; 503 when the node is stopping, or the
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
  if (error instanceof ControlError && error.code === 'ERR_CONTROL_ITEMS') return refusal(error.code, error.message);
  if (error instanceof ControlError && error.code.startsWith('ERR_CALLBACK')) return refusal(error.code, error.message);
  if (error instanceof ControlError && error.code.startsWith('ERR_BACKPLANE_')) {
    return {
      ...refusal(error.code, unavailableText(error)),
      ...receiptsOf(error),
      cause: error,
    };
  }
  return { ...refusal('ERR_CONTROL_INTERNAL'), cause: error };
}

/** In bytes; named to clients that exceed them. */
export interface ParserLimits {
  readonly pushInHttpMaxHeadersSize: number;
  readonly pushInHttpMaxBodySize: number;
}

/**
 * The answer to give, or undefined if the connection itself is broken and there is nobody to answer. Takes the bytes that were read
 * off the error: a log line would spell out each of them, and be many times as long as what the client sent.
 */
export function answerToParserError(
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  { pushInHttpMaxHeadersSize, pushInHttpMaxBodySize }: ParserLimits,
): Answer | undefined {
  delete error.rawPacket;
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return headerTooLarge(pushInHttpMaxHeadersSize);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return bodyTooLarge(pushInHttpMaxBodySize);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return timedOut;
    case 'HPE_INVALID_EOF_STATE': // the client closed in the middle of a request
      return undefined;
    default:
      return error.code?.startsWith('HPE_') ? malformed : undefined;
  }
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

/** Gives an answer its form; with `close` it announces that the connection ends. */
export function encodeAnswer(answer: Answer, format: Format, close: boolean): EncodedAnswer {
  const { type, body } = answer.content ?? formOf(answer, format);
  const headers = ['Content-Type', type, 'Content-Length', String(Buffer.byteLength(body))];
  if (answer.header) headers.push(...answer.header);
  if (close) headers.push('Connection', 'close');
  return { headers, body };
}

function formOf(answer: Answer, format: Format): { readonly type: string; readonly body: string } {
  return format === 'text'
    ? { type: 'text/plain', body: textOf(answer) }
    : { type: 'application/json', body: `${json(answer)}\n` };
}

function textOf({ message, items, silent, isNoted }: Answer): string {
  if (isNoted !== true || items === undefined) return `${message}\n`;
  return `${[message, ...receiptNotes(items, silent)].join('\n')}\n`;
}

function json({ message, items, silent, code, detail, channel, view }: Answer): string {
  // Absent fields are left out by JSON.stringify.
  return JSON.stringify(view ?? { message, items, silent, code, detail, channel });
}

/** Sends an answer and completes the response. Harmless when the client has gone. */
export function send(response: ServerResponse, answer: Answer, format: Format, close: boolean): void {
  const { headers, body } = encodeAnswer(answer, format, close);
  response.writeHead(answer.status, headers).end(body);
}

/** Status line and fields of an answer, each with its end, but for those that are its connection's; and the body. */
export function wholeAnswer(answer: Answer, format: Format): { readonly head: string; readonly body: string } {
  const { headers, body } = encodeAnswer(answer, format, false);
  return { head: headOf(answer, headers), body };
}

/** An answer as raw bytes, for connections whose request never became one. Always text, always the last. */
export function rawAnswer(answer: Answer): string {
  const { headers, body } = encodeAnswer(answer, 'text', true);
  return `${headOf(answer, headers)}\r\n${body}`;
}

function headOf({ status }: Answer, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return head;
}
