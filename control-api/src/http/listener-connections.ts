/**
 * The open connections of a listener, and which of them is closed when there are too many.
 *
 * A busy peer sends and reads at once, so its connection is never long in one phase. Connections of pools, scanners and attackers
 * are, and keep others out. So the oldest of the least useful is closed.
 */
import type { Socket } from 'node:net';

/**
 * What a connection is about: `new` has sent no whole head yet; `idle` waits for the next request; of the latest request the
 * body is `arriving`, the node is `working`, or the answer is `sending`; `leaving` has had its last answer.
 */
export type Phase = 'new' | 'idle' | 'arriving' | 'working' | 'sending' | 'leaving';

/**
 * In this order connections go, of phases in one row the one that has been in its phase longest: a pool that published a moment
 * ago is worth more than a body that stands still. `working` ones stay, as those have limits by what they do.
 */
const order: readonly (readonly Phase[])[] = [['leaving'], ['new'], ['idle', 'sending', 'arriving']];

/** The order in which bytes in memory are let go. */
const holders: readonly (readonly Phase[])[] = [['leaving'], ['sending'], ['arriving']];

/** What {@link ListenerConnections} are made of. */
export interface ListenerConnectionsOptions {
  /** Connections at a time. */
  readonly max: number;
  /** Bytes of bodies and answers at a time. */
  readonly maxBytes: number;
  /** Ends a connection for the sake of others; afterwards it is not counted any more. */
  readonly end: (socket: Socket, phase: Phase) => void;
}

interface Entry {
  socket: Socket;
  phase: Phase;
  /** When it came to its phase, by counting. */
  since: number;
  bytes: number;
}

/** Counts connections and what they hold. All calls take constant time. */
export class ListenerConnections {
  readonly #options: ListenerConnectionsOptions;
  readonly #entries = new Map<Socket, Entry>();
  /** By phase, the one that has been in it longest first. */
  readonly #phases: Readonly<Record<Phase, Set<Entry>>> = {
    new: new Set(),
    idle: new Set(),
    arriving: new Set(),
    working: new Set(),
    sending: new Set(),
    leaving: new Set(),
  };
  #bytes = 0;
  #changes = 0;

  constructor(options: ListenerConnectionsOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many bytes they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Those that have sent no whole head yet. */
  get new(): readonly Socket[] {
    return [...this.#phases.new].map(({ socket }) => socket);
  }

  /** Takes a new connection, and ends another where there are too many; false when none of them can go. */
  open(socket: Socket): boolean {
    if (this.#entries.size >= this.#options.max && !this.#endOldest(order)) return false;
    const entry: Entry = { socket, phase: 'new', since: ++this.#changes, bytes: 0 };
    this.#entries.set(socket, entry);
    this.#phases.new.add(entry);
    socket.once('close', () => this.#forget(entry));
    return true;
  }

  /** The connection goes on as another socket: that of TLS, once its handshake is done. */
  become(socket: Socket, next: Socket): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined) return;
    this.#entries.delete(socket);
    entry.socket = next;
    this.#entries.set(next, entry);
  }

  /** The connection has come to another phase, or begins the same one anew. Bytes that it held are let go. */
  enter(socket: Socket, phase: Phase): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined) return;
    this.#bytes -= entry.bytes;
    entry.bytes = 0;
    this.#phases[entry.phase].delete(entry);
    entry.phase = phase;
    entry.since = ++this.#changes;
    this.#phases[phase].add(entry);
  }

  /** The connection holds so many bytes more; over the limit others, or it, are ended until there is room. */
  hold(socket: Socket, bytes: number): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined) return;
    entry.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > this.#options.maxBytes && this.#endOldest(holders));
  }

  #endOldest(rows: readonly (readonly Phase[])[]): boolean {
    for (const row of rows) {
      const oldest = this.#oldest(row);
      if (oldest === undefined) continue;
      this.#forget(oldest);
      this.#options.end(oldest.socket, oldest.phase);
      return true;
    }
    return false;
  }

  #oldest(row: readonly Phase[]): Entry | undefined {
    let oldest: Entry | undefined;
    for (const phase of row) {
      const [first] = this.#phases[phase];
      if (first !== undefined && (oldest === undefined || first.since < oldest.since)) oldest = first;
    }
    return oldest;
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.socket) !== entry) return;
    this.#entries.delete(entry.socket);
    this.#phases[entry.phase].delete(entry);
    this.#bytes -= entry.bytes;
  }
}
