/**
 * The errors of this package: one class, and a table of its codes. How an error becomes an answer, a log line or a metric is
 * for the packages above.
 */

/** Who has to change something to make the error go away: the publisher or visitor, the customer's origin, or us. */
export type GripErrorSide = 'client' | 'origin' | 'internal';

/**
 * Every code this package throws, with the side at fault and one line of meaning. `docs/errors.md` is checked
 * against this table.
 */
export const gripErrors = {
  ERR_GRIP_INSTRUCT: {
    side: 'origin',
    meaning: 'A GRIP instruct of the origin (Grip-* headers or application/grip-instruct) cannot be understood.',
  },
  ERR_GRIP_ITEM: {
    side: 'client',
    meaning: 'A published item, or the body that carries items, is malformed; nothing of the body is published.',
  },
  ERR_GRIP_PATCH: {
    side: 'client',
    meaning: 'A published patch would make more of a held body than may be; the item is not delivered to that client.',
  },
  ERR_GRIP_PACKET: {
    side: 'client',
    meaning: 'Bytes on a ZeroMQ socket are neither a tnetstring nor JSON after a `J`; the message is dropped.',
  },
  ERR_GRIP_SIG_KEY: {
    side: 'internal',
    meaning: 'A configured signing or verifying key cannot be read, or cannot be used for what was asked of it.',
  },
  ERR_GRIP_WS_EVENTS: {
    side: 'origin',
    meaning: 'An answer over WebSocket-over-HTTP has events that cannot be parsed, or accepts what was not offered.',
  },
  ERR_GRIP_FILTER: {
    side: 'origin',
    meaning:
      'A filter cannot be applied: its meta value is missing, or its template or the content cannot be expanded.',
  },
} as const satisfies Readonly<Record<string, { readonly side: GripErrorSide; readonly meaning: string }>>;

/**
 * Characters of a message: it may quote what was sent, which has no limit of this kind, and goes into the log.
 *
 * @limit {} characters of an error message
 * @over the rest is cut off
 */
const MAX_MESSAGE = 2_000;

/** Stable identifier of a kind of GRIP error; never renamed, never reused. */
export type GripErrorCode = keyof typeof gripErrors;

/**
 * Thrown by every function here that can fail on its input. `message` is the text a Pushpin user knows, without any
 * prefix and without a newline; the caller adds `Failed to parse accept instructions: ` and the like. One that is very long,
 * because it quotes, is cut.
 */
export class GripError extends Error {
  override readonly name = 'GripError';
  readonly code: GripErrorCode;
  readonly side: GripErrorSide;
  /** More than the message may say, because others know its exact text: where JSON breaks, for example. */
  readonly detail?: string;

  constructor(code: GripErrorCode, message: string, options?: ErrorOptions & { readonly detail?: string | undefined }) {
    super(message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message, options);
    this.code = code;
    if (options?.detail !== undefined) this.detail = options.detail;
    this.side = gripErrors[code].side;
  }
}
