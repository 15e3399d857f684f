/** The port to which statistics packets are sent; the socket behind it is zmq/stats-socket.ts. */

/** The sending side of the feed. Calls never throw and never block. */
export interface StatsSink {
  /** Whether packets of this type have a listener at present; others need not be made. */
  wants(type: string): boolean;
  /** Sends a packet to its listeners, without waiting for them and without an acknowledgement. */
  send(packet: Buffer): void;
}
