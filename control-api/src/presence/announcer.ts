/**
 * Publishes who joins and leaves channels: items on a channel beside each, of which those of a short while are one.
 */
import { channelNameFault, type Item, isLongName, parseItem } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import type { OccupancyEdge, OccupancyListener } from '../occupancy/occupancy.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { PRESENCE_MEMBERS_MAX } from './members.js';

/** What is put behind a channel's name for the channel on which its joins and leaves are published. Such channels have none of their own. */
export const PRESENCE_SUFFIX = '$presence';

/**
 * For how long joins and leaves are gathered before they are published, in ms.
 *
 * @limit {ms} for which joins and leaves of a channel are gathered
 * @over they are published, in one item for each channel
 */
export const ANNOUNCE_MS = 250;

/** Most items of one publish. */
const ITEMS_AT_ONCE = 100;

/** What an {@link PresenceAnnouncer} is made of. */
export interface PresenceAnnouncerOptions {
  /** As of `Publisher.publish`. */
  readonly publish: (items: readonly Item[]) => Promise<unknown>;
  /** Bytes of a channel's name, see `channelNameFault`: of one that is longer with the suffix nothing is published. */
  readonly channelNameMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What became of one channel lately. */
interface Gathered {
  /** User → the last that became of it. Undefined once there were too many. */
  changes: Map<string, OccupancyEdge> | undefined;
  joined: number;
  left: number;
  last: OccupancyEdge;
}

/** Groups are channels, members users, and notes the meta `info` of these. */
export class PresenceAnnouncer implements OccupancyListener {
  readonly #options: PresenceAnnouncerOptions;
  #gathered = new Map<string, Gathered>();
  #timer: unknown;

  constructor(options: PresenceAnnouncerOptions) {
    this.#options = options;
  }

  onEdges(edges: readonly OccupancyEdge[]): void {
    for (const edge of edges) this.#gather(edge);
    this.#timer ??= this.#options.clock.after(ANNOUNCE_MS, () => this.flush());
  }

  /** Publishes what has been gathered. What is refused is lost, and logged. */
  flush(): void {
    const { clock, publish, channelNameMax, log } = this.#options;
    clock.clear(this.#timer);
    this.#timer = undefined;
    const gathered = this.#gathered;
    this.#gathered = new Map();
    const items: Item[] = [];
    for (const [channel, changes] of gathered) {
      const name = channel + PRESENCE_SUFFIX;
      const fault = isLongName(name) ? 'it is too long' : channelNameFault(name, channelNameMax);
      if (fault === undefined) items.push(itemOf(channel, changes));
      else log.debug({ channel, fault }, 'joins and leaves not published: the name of their channel may not be');
    }
    for (let from = 0; from < items.length; from += ITEMS_AT_ONCE) {
      publish(items.slice(from, from + ITEMS_AT_ONCE)).catch((error: unknown) => {
        const isStopping = error instanceof ControlError && error.code === 'ERR_CONTROL_STOPPING';
        log[isStopping ? 'debug' : 'warn']({ err: error }, 'joins and leaves could not be published');
      });
    }
  }

  #gather(edge: OccupancyEdge): void {
    const { group, member, occupied } = edge;
    const known = this.#gathered.get(group);
    const gathered = known ?? { changes: new Map<string, OccupancyEdge>(), joined: 0, left: 0, last: edge };
    if (known === undefined) this.#gathered.set(group, gathered);
    if (occupied) gathered.joined++;
    else gathered.left++;
    if (edge.seq > gathered.last.seq) gathered.last = edge;
    const before = gathered.changes?.get(member);
    if (before === undefined || edge.seq > before.seq) gathered.changes?.set(member, edge);
    if ((gathered.changes?.size ?? 0) > PRESENCE_MEMBERS_MAX) gathered.changes = undefined;
  }
}

/** An item in all formats; docs/presence.md has its form. */
function itemOf(channel: string, { changes, joined, left, last: { size, seq } }: Gathered): Item {
  const head = { type: 'presence', channel, users: size, seq };
  const named = changes !== undefined && size <= PRESENCE_MEMBERS_MAX ? [...changes.values()] : undefined;
  const content = JSON.stringify(
    named === undefined
      ? { ...head, capped: true, joined, left }
      : {
          ...head,
          join: named.filter(({ occupied }) => occupied).map(joinOf),
          leave: named.filter(isLeave).map(leaveOf),
        },
  );
  return parseItem({
    channel: channel + PRESENCE_SUFFIX,
    formats: {
      'http-stream': { content: `${content}\n` },
      'http-response': { headers: { 'Content-Type': 'application/json' }, body: `${content}\n` },
      'ws-message': { content },
    },
  });
}

const isLeave = ({ occupied }: OccupancyEdge) => !occupied;
const joinOf = ({ member, note, seq }: OccupancyEdge) => ({
  user: member,
  ...(note !== undefined && { info: note }),
  seq,
});
const leaveOf = ({ member, seq }: OccupancyEdge) => ({ user: member, seq });
