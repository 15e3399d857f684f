/**
 * The one table of reasons for which a held connection ends: the text of the log field, the metric label, and the code of
 * the Close frame where the proxy itself closes a WebSocket.
 */

/** A row of the table. */
interface CloseRow {
  readonly meaning: string;
  /** RFC 6455 §7.4.1 and the IANA registry; absent where the proxy sends no Close frame of its own. */
  readonly code?: number;
  /** What that Close frame says to every client, where it says anything to those of other than debug routes. */
  readonly text?: string;
}

/** Reason → what happened. */
export const closeReasons = {
  answered: { meaning: 'A published item answered the request.' },
  timeout: { meaning: 'The hold timed out and the origin’s own answer went out.' },
  retried: { meaning: 'The request went back to the origin; the client still waits.' },
  closed: { meaning: 'A published item closed the connection.' },
  'client-closed': { meaning: 'The client closed its WebSocket.' },
  'client-gone': { meaning: 'The client’s connection ended without a word.' },
  unavailable: { meaning: 'The XMPP client has become unavailable.' },
  bounced: { meaning: 'What was sent to the XMPP client came back with an error.' },
  'client-fault': {
    meaning: 'The client broke the WebSocket protocol, or sent too long a message or request body, or one too slowly.',
  },
  'message-rate': {
    meaning: 'The client sent more messages a second than `ws_message_rate` allows.',
    code: 1008,
    text: 'too many messages',
  },
  'origin-closed': { meaning: 'The origin closed the session.' },
  'origin-failed': { meaning: 'The origin broke off, or its answer could not be used.' },
  'filter-failed': { meaning: 'A filter could not be run on an item, on a debug route.', code: 1011 },
  'link-failed': { meaning: 'The next link of a stream could not be fetched, or gave no usable answer.' },
  ended: { meaning: 'The origin’s links came to their end without a hold.' },
  'filter-limit': { meaning: 'The origin asked for more filters than a subscription may have.', code: 1011 },
  'meta-limit': { meaning: 'The origin set more meta than a session may have.', code: 1011 },
  'channel-refused': { meaning: 'The origin asked for a channel that is none of its route’s.', code: 1011 },
  'slow-client': {
    meaning: 'The client read too slowly: more than `client_queue_size` waited for it.',
    code: 1013,
  },
  'items-lost': {
    meaning: 'Items of its channel were lost, and `gap_policy` is `close`: the client may come back and start anew.',
    code: 1012,
  },
  fault: { meaning: 'Holdfast itself failed; the log has the stack.', code: 1011 },
  kicked: { meaning: 'A request to the control API ended the connection.', code: 1008 },
  aged: { meaning: 'It was as old as `hold_max_age` lets it become.', code: 1012 },
  expired: {
    meaning:
      'Its time was over, as its origin had said (`Grip-Expires`, `expire`): a held request is `retried` instead.',
    code: 4401,
    text: 'expired',
  },
  shutdown: { meaning: 'The node went down.', code: 1012 },
} as const satisfies Readonly<Record<string, CloseRow>>;

export type CloseReason = keyof typeof closeReasons;

/** The code with which the proxy closes a WebSocket for this reason, if it sends a Close frame at all. */
export function closeCode(reason: CloseReason): number | undefined {
  const row: CloseRow = closeReasons[reason];
  return row.code;
}

/** What the Close frame says for this reason on any route; empty for nothing. */
export function closeText(reason: CloseReason): string {
  const row: CloseRow = closeReasons[reason];
  return row.text ?? '';
}
