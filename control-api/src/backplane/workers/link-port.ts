/**
 * What lies between a worker and the primary.
 *
 * Owns: the port. Does not own: the transport behind it (a process's IPC channel), or what is said.
 */

/** One end of a connection that keeps order and loses nothing while both ends live. */
export interface LinkPort {
  /** Sends structured data; never throws. `bytes` is roughly how much it is, for the bound on what may wait. */
  post(message: unknown, bytes: number): void;
  /** Calls `message` for everything the other end posts, `closed` once when that end has gone. To be called once. */
  listen(message: (message: unknown) => void, closed: () => void): void;
}
