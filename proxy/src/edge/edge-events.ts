/** Owns: what an edge reports to its operator. Does not own: how it is counted or logged. */

/** Hears of clients that an edge has turned away by itself. */
export interface EdgeEvents {
  /** A connection was turned away because `clientMaxconn` were open. */
  connectionRefused(): void;
  /** A connection was turned away because too few file descriptors are left. */
  descriptorsShort(): void;
  /**
   * A request was answered by the edge itself because it was malformed; `reason` is the parser's code or the text sent, `client`
   * the address that it came from.
   */
  requestRefused(reason: string, status: number, client: string): void;
}
