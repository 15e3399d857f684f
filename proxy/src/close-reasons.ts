/**
 * Owns: the one table of reasons for which a held connection ends: the text of the log field and the metric label.
 * Does not own: what is then sent to the client.
 */

/** Reason → what happened. */
export const closeReasons = {
  answered: 'A published item answered the request.',
  timeout: 'The hold timed out and the origin’s own answer went out.',
  retried: 'The request went back to the origin; the client still waits.',
  closed: 'A published item closed the stream.',
  'client-gone': 'The client closed its connection.',
  'slow-client': 'The client read too slowly: more than `stream_queue_size` waited for it.',
  'origin-failed': 'The origin broke off while its answer was still being sent.',
  shutdown: 'The node went down.',
} as const;

export type CloseReason = keyof typeof closeReasons;
