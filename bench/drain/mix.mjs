// Who is held, and where: the plan that the clients, the origin and the publisher of the drain share.

/** @typedef {'events' | 'ws' | 'stream' | 'poll'} Kind  events: a stream of the type text/event-stream */

/**
 * The kinds of ten clients that follow each other, which are those of one channel: 3 of 10 are event streams, 3 WebSockets (over
 * HTTP at the origin), 2 other streams, 2 long polls.
 *
 * @type {readonly Kind[]}
 */
export const MIX = ['events', 'ws', 'stream', 'poll', 'events', 'ws', 'stream', 'events', 'ws', 'poll'];

/** @param {number} client  its number, from 0 */
export function placeOf(client) {
  return {
    kind: /** @type {Kind} */ (MIX[client % MIX.length]),
    channel: Math.floor(client / MIX.length),
  };
}

/** @param {number} clients */
export function channelsFor(clients) {
  return Math.ceil(clients / MIX.length);
}

/** The name that the origin and the publisher have for a channel. @param {number | string} channel  its number */
export function nameOf(channel) {
  return `drain-${channel}`;
}

/** The machine's monotonic clock, which all processes share, in ms. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}
