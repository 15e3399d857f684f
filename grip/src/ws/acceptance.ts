/**
 * Which events of a WebSocket-over-HTTP request the origin has accepted, and which are to be sent again.
 *
 * An origin whose own messages span several WebSocket messages may take only the first n content bytes of a request; the
 * rest is put before the events of the next request, which says so in Content-Bytes-Replayed. Pushpin has this since
 * 1.41 (`WebSocketOverHttp` and its `removeContentFromFrames`); the published WebSocket-over-HTTP text does not.
 */
import { GripError } from '../errors.js';
import { parseInteger } from '../wire/integer.js';
import type { WsEvent } from './events.js';

/** What an answer to a request did with the request's events. */
export interface WsAcceptance {
  /**
   * Events taken whole. If neither this nor the number of bytes is above 0, there was no progress, and an origin for
   * which no more can be queued will never make any.
   */
  readonly consumed: number;
  /** The others in their order, to be sent again before any newer event. The first may be the rest of its message. */
  readonly remaining: readonly WsEvent[];
  /** Content-Bytes-Replayed of the next request if above 0: the content bytes of `remaining`, without those of a CLOSE. */
  readonly replayed: number;
}

/** Bytes of content of these events together, CLOSE included: what a request with them offers. */
export function contentBytes(events: readonly WsEvent[]): number {
  return events.reduce((sum, event) => sum + contentLength(event), 0);
}

function contentLength(event: WsEvent | undefined): number {
  return event?.content?.length ?? 0;
}

/**
 * Reads Content-Bytes-Accepted. Undefined if it is absent or not a whole number from 0, and then all of the request is
 * accepted.
 */
export function parseBytesAccepted(header: string | undefined): number | undefined {
  const accepted = header === undefined ? undefined : parseInteger(header);
  return accepted !== undefined && accepted >= 0 ? Math.abs(accepted) : undefined; // never -0
}

/**
 * What remains of the `events` of a request of which the origin accepted the first `accepted` content bytes; by
 * default, all. The codec's framing does not count. An event is consumed with its last byte; one without content, with
 * the last byte before it. Of a message that is accepted in part the rest remains as a message of the same type: a TEXT
 * may then begin within a character, which is the origin's choice. No byte is lost, repeated or put in another place.
 *
 * A CLOSE ends what there is to wait for, so an origin that takes all that precedes it must take it too.
 *
 * Throws ERR_GRIP_WS_EVENTS if more is accepted than was offered, or all but the CLOSE; the session cannot go on then.
 */
export function acceptBytes(events: readonly WsEvent[], accepted = contentBytes(events)): WsAcceptance {
  const offered = contentBytes(events);
  if (!(accepted >= 0 && accepted <= offered)) {
    throw new GripError('ERR_GRIP_WS_EVENTS', `${accepted} content bytes accepted of ${offered}`);
  }
  let left = accepted;
  let consumed = 0;
  while (consumed < events.length && contentLength(events[consumed]) <= left) {
    left -= contentLength(events[consumed]);
    consumed++;
  }
  const first = events[consumed];
  if (!first?.content) return { consumed, remaining: [], replayed: 0 };
  if (first.type === 'CLOSE') {
    throw new GripError('ERR_GRIP_WS_EVENTS', `all content before CLOSE accepted, but ${left} bytes of CLOSE itself`);
  }
  const rest = left > 0 ? { type: first.type, content: first.content.subarray(left) } : first;
  const remaining = [rest, ...events.slice(consumed + 1)];
  return { consumed, remaining, replayed: contentBytes(remaining.filter(({ type }) => type !== 'CLOSE')) };
}
