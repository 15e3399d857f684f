/** An item on its way to subscribers, encoded once for each kind of them. */
import type { Position } from '@holdfast/control-api';
import {
  contentOf,
  type FormatFor,
  type HttpResponseSend,
  type Item,
  itemBytes,
  kindRows,
  parseStanza,
  type RawHeaders,
  type ResponseHead,
  type Stanza,
  type SubscriberKind,
} from '@holdfast/grip';
import { StreamPiece } from '../edge/port.js';
import { FramePiece } from '../websocket/message-socket.js';

/**
 * One getter for each kind of subscriber in the table of formats, so that what is read for each subscriber has one shape; the
 * compiler asks for those that are missing.
 */
type Forms = { readonly [Kind in SubscriberKind]: FormatFor<Kind> | undefined };

/** An answer to a held request: a head and its whole body. */
export interface ResponseAnswer extends ResponseHead {
  readonly payload: Buffer;
}

/** A stanza on its way to XMPP clients. */
export class StanzaPiece {
  readonly payload: Buffer;
  readonly stanza: Stanza;

  /** Throws GripError ERR_GRIP_ITEM for what is no stanza. */
  constructor(payload: Buffer) {
    this.payload = payload;
    this.stanza = parseStanza(payload, 'ERR_GRIP_ITEM');
  }
}

/** An empty line and what is before it, with the line ends that there may be. */
const EVENT_END = /(?:\r\n|\n|\r)(?:\r\n|\n|\r)$/;
const EVENT_END_BYTES = 4;

/** One item on its way to all subscribers of its channel: each form of it is made once and shared. */
export class Delivery implements Forms {
  readonly item: Item;
  /** When the item reached this node, in ms by the monotonic clock. */
  readonly at: number;
  /** Where the item stands on its channel; undefined where items are not counted. */
  readonly position: Position | undefined;
  /** A subscriber that has had all before and gets this item has all up to here: earlier than `position` while one before waits. */
  readonly through: Position | undefined;
  /** By which prefix of its channel's name it came, to patterns; undefined where it came by its channel. */
  readonly prefix: string | undefined;
  #bytes: number | undefined;
  #piece: StreamPiece | undefined;
  #isLookedAt = false;
  #frame: FramePiece | undefined;
  #marked: StreamPiece | undefined;
  #mark: FramePiece | undefined;
  #stanza: StanzaPiece | undefined;
  #answer: { readonly to: RawHeaders; readonly answer: ResponseAnswer } | undefined;

  constructor(item: Item, at: number, position?: Position, through = position, prefix?: string) {
    this.item = item;
    this.at = at;
    this.position = position;
    this.through = through;
    this.prefix = prefix;
  }

  /** How the item goes to response holds, if at all. */
  get response(): FormatFor<'response'> | undefined {
    return this.item.formats.httpResponse;
  }

  /** How the item goes to stream holds, if at all. */
  get stream(): FormatFor<'stream'> | undefined {
    return this.item.formats.httpStream;
  }

  /** How the item goes to WebSocket sessions, if at all. */
  get ws(): FormatFor<'ws'> | undefined {
    return this.item.formats.wsMessage;
  }

  /** How the item goes to callbacks, if at all: not by way of this node's subscribers. */
  get callback(): FormatFor<'callback'> | undefined {
    return this.item.formats.httpRequest;
  }

  /** How the item goes to XMPP clients, if at all. */
  get xmpp(): FormatFor<'xmpp'> | undefined {
    return this.item.formats.xmppStanza;
  }

  /** Bytes that the item takes in memory while it is kept, all of it counted. Counted at the first use. */
  get bytes(): number {
    this.#bytes ??= itemBytes(this.item);
    return this.#bytes;
  }

  /**
   * How many bytes the item counts for one kind of subscriber: its own `size`, else those of its content. Undefined when
   * it has no form for that kind.
   */
  bytesFor(kind: SubscriberKind): number | undefined {
    const { formats, size } = this.item;
    const { key } = kindRows[kind];
    if (formats[key] === undefined) return undefined;
    return size ?? contentOf(formats, key)?.length ?? 0;
  }

  /** The message for WebSocket clients. Only for an item whose ws-message action is `send`. */
  get frame(): FramePiece {
    if (this.#frame === undefined) {
      const format = this.item.formats.wsMessage;
      this.#frame =
        format?.action === 'send'
          ? new FramePiece(format.type, format.content)
          : new FramePiece('text', Buffer.alloc(0));
    }
    return this.#frame;
  }

  /**
   * Whether the content for streams does not end as an event does, with an empty line (HTML §9.2.6), for which clients wait. True for the
   * first who asks, so that it is reported once for an item.
   */
  takeCutEvent(): boolean {
    if (this.#isLookedAt) return false;
    this.#isLookedAt = true;
    const { payload } = this.piece;
    return !EVENT_END.test(payload.toString('latin1', Math.max(payload.length - EVENT_END_BYTES, 0)));
  }

  /** The content for streams. Only for an item whose stream action is `send`. */
  get piece(): StreamPiece {
    if (this.#piece === undefined) {
      const format = this.item.formats.httpStream;
      this.#piece = new StreamPiece(format?.action === 'send' ? format.content : Buffer.alloc(0));
    }
    return this.#piece;
  }

  /** The stanza for XMPP clients. Only for an item whose xmpp-stanza action is `send`. */
  get stanza(): StanzaPiece {
    if (this.#stanza === undefined) {
      const format = this.item.formats.xmppStanza;
      this.#stanza = new StanzaPiece(format?.action === 'send' ? format.content : Buffer.alloc(0));
    }
    return this.#stanza;
  }

  /**
   * The answer that the item makes of a held response with these fields, where nothing else of it counts: the same for all after
   * each other whose fields are the same.
   */
  answerTo(
    fields: RawHeaders,
    format: HttpResponseSend,
    make: (format: HttpResponseSend, fields: RawHeaders) => ResponseAnswer,
  ): ResponseAnswer {
    const last = this.#answer;
    if (last !== undefined && isSame(last.to, fields)) return last.answer;
    const answer = make(format, fields);
    this.#answer = { to: fields, answer };
    return answer;
  }

  /** The content for streams with its token, made by the first subscriber that follows this channel alone. */
  markedPiece(make: () => StreamPiece): StreamPiece {
    this.#marked ??= make();
    return this.#marked;
  }

  /** The frame that follows the message for WebSocket clients that may come back, made likewise. */
  markFrame(make: () => FramePiece): FramePiece {
    this.#mark ??= make();
    return this.#mark;
  }
}

function isSame(one: RawHeaders, other: RawHeaders): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
