/**
 * Where statistics packets go.
 *
 * Owns: the port. Does not own: the socket behind it (zmq/stats-socket.ts).
 */

/** The sending side of the feed. Calls never throw and never block. */
export interface StatsSink {
  /** Whether anybody listens to packets of this type at present; others need not be made. */
  wants(type: string): boolean;
  /** Sends a packet to those who listen; nobody is waited for, and there is no word of its arrival. */
  send(packet: Buffer): void;
}
