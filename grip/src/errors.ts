/** The base of every error with a code, in all packages; and the errors of this one, with the table of their codes. */

/** Who has to act: the publisher or the visitor (`client`), the customer's application (`origin`) or the operator (`internal`). */
export type ErrorSide = 'client' | 'origin' | 'internal';

/** Code → who has to act, and what it means to the reader of a log line: for docs/errors.md. */
export type ErrorTable = Readonly<Record<string, { readonly side: ErrorSide; readonly meaning: string }>>;

/**
 * An error with a code of its table: stable, never reused, and what programs decide by. `message` is for people. `name` is that
 * of the class.
 */
export abstract class CodedError<Table extends ErrorTable> extends Error {
  readonly code: keyof Table & string;
  readonly side: Table[keyof Table]['side'];

  constructor(name: string, table: Table, code: keyof Table & string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.code = code;
    this.side = (table[code] as Table[keyof Table]).side;
  }
}

/** Every code of a {@link GripError}. */
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
  ERR_GRIP_STANZA: {
    side: 'origin',
    meaning:
      'An answer to an XMPP stanza has XML that is not one of stanzas, is not well-formed, or is more than may be.',
  },
  ERR_GRIP_FILTER: {
    side: 'origin',
    meaning:
      'A filter cannot be applied: its meta value is missing, or its template or the content cannot be expanded.',
  },
} as const satisfies ErrorTable;

/**
 * Characters of a message: it may quote what was sent, which has no limit of this kind, and goes into the log.
 *
 * @limit {} characters of an error message
 * @over the rest is cut off
 */
const MAX_MESSAGE = 2_000;

/** One of the codes in {@link gripErrors}. */
export type GripErrorCode = keyof typeof gripErrors;

/**
 * Thrown by every function here that can fail on its input. `message` is the text a Pushpin user knows, without any
 * prefix and without a newline; the caller adds `Failed to parse accept instructions: ` and the like. One that is very long,
 * because it quotes, is cut.
 */
export class GripError extends CodedError<typeof gripErrors> {
  /** More than the message may say, because others know its exact text: where JSON breaks, for example. */
  readonly detail?: string;

  constructor(code: GripErrorCode, message: string, options?: ErrorOptions & { readonly detail?: string | undefined }) {
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
    super('GripError', gripErrors, code, text, options);
    if (options?.detail !== undefined) this.detail = options.detail;
  }
}
