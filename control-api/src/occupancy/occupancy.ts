/**
 * The port that counts who is there on all nodes of a system: members of groups, such as the users on a channel. What matters is when
 * the first of something comes, anywhere, and when the last has gone.
 */

/** A member of a group came to be somewhere, or is nowhere any more. */
export interface OccupancyEdge {
  readonly group: string;
  readonly member: string;
  /** True: no node had it before. False: no node has it any more. */
  readonly occupied: boolean;
  /** How many members the group has after this edge, on all nodes. */
  readonly size: number;
  /** Grows with each edge of a group, whichever node reports it: of two, the one with the higher number is the later. */
  readonly seq: number;
  /** What the first `enter` of this node brought along. Only where the member is there. */
  readonly note?: string | undefined;
}

/** Gets the edges. An edge is reported on one node only: on any of them. Must not throw. */
export interface OccupancyListener {
  /** In their order per group. */
  onEdges(edges: readonly OccupancyEdge[]): void;
}

/** How {@link Occupancy} is asked to count. */
export interface OccupancyCounts {
  /** One more connection of this node has the member. `note` is kept while this node has it, and given back with its edge. */
  enter(group: string, member: string, note?: string): void;
  /** One connection fewer. Calls that match no `enter` are ignored. */
  leave(group: string, member: string): void;
}

/**
 * Counts by group, member and node. Every implementation passes the contract in test/occupancy/contract.ts.
 *
 * - **Edges.** When the first connection of all nodes enters, a listener of one node gets one edge; and so when the last has left. A
 *   node that has let go of a member keeps it for the time of the delay: who comes back meanwhile, to whichever node, makes no edge.
 * - **Short visits.** Who comes and goes within the time in which calls are gathered may make no edge at all.
 * - **Death.** What a node had that ends without `close` counts as left when its heartbeats have been missing for `NODE_TTL_MS`.
 * - **At most once.** While the store cannot be reached nothing is reported; the counts are brought up to date afterwards. What an answer
 *   of the store has that is late or lost comes with the next one; an edge is lost with the node that was to get it, or when the store
 *   loses what it has.
 */
export interface Occupancy extends OccupancyCounts {
  /** To be called once, before anything else; the store must have been started. */
  start(listener: OccupancyListener): void;
  /** Counts no more. What this node had counts as left after the delay, unless others have it. May be called again. */
  close(): Promise<void>;
}

/** Names a member of a group in one text, which no other pair has. The length is in bytes, for those who read it in Redis. */
export function keyOf(group: string, member: string): string {
  return `${Buffer.byteLength(group)}:${group}${member}`;
}

/** The group and the member that a key names; undefined for what is no key. */
export function readKey(key: string): { readonly group: string; readonly member: string } | undefined {
  const digits = /^(\d{1,9}):/.exec(key)?.[1];
  if (digits === undefined) return undefined;
  const rest = Buffer.from(key.slice(digits.length + 1));
  const length = Number(digits);
  if (length > rest.length) return undefined;
  return { group: rest.toString('utf8', 0, length), member: rest.toString('utf8', length) };
}
