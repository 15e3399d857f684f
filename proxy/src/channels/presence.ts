/** Who is on which channel, of the connections of routes with `presence`, as one process sees it. Others are not looked at. */
import {
  type MemberRow,
  type MembersView,
  type OccupancyCounts,
  PRESENCE_MEMBERS_MAX,
  PRESENCE_SUFFIX,
} from '@holdfast/control-api';
import { kindRows } from '@holdfast/grip';
import type { Route } from '../routes/route.js';
import type { Clock, Timer } from '../runtime/clock.js';
import type { Subscriber } from './subscriber.js';
import { isUserName, USER_META } from './users.js';

/**
 * Longest text about a user, in bytes of UTF-8: there are as many in an item as users join at a time.
 *
 * @limit {} bytes of the meta `info` of a member
 * @over it is left out
 */
export const MEMBER_INFO_MAX = 512;

/** Who a connection is to others on its channels. */
export interface Member {
  readonly user: string;
  readonly info: string | undefined;
  /** Joins and leaves are published. */
  readonly announced: boolean;
}

/** The meta of a connection that says who it is. */
export const MEMBER_META = [USER_META, 'info'] as const;

/** Who a connection of this route is, by its meta; undefined where nobody is to know, or it has no user. */
export function memberOf(
  route: Partial<Pick<Route, 'presence'>>,
  meta: ReadonlyMap<string, string>,
): Member | undefined {
  if (route.presence === undefined) return undefined;
  const user = meta.get(USER_META);
  if (user === undefined || !isUserName(user)) return undefined;
  const text = meta.get('info');
  const info = text === undefined || Buffer.byteLength(text) > MEMBER_INFO_MAX ? undefined : text;
  return { user: wellFormed(user), info, announced: route.presence === 'events' };
}

/** What {@link ChannelPresence} is made of. */
export interface ChannelPresenceOptions {
  readonly clock: Clock;
  /** How long a user is listed whose long poll has been answered, in ms: the next one is on its way. */
  readonly presenceDelay: number;
  /** Gets those that are announced; left out: nobody is. */
  readonly counts?: OccupancyCounts | undefined;
}

/** A user whose long poll has ended, for as long as the next one may take to come. */
interface Awaited {
  readonly channel: string;
  readonly row: MemberRow;
  /** By the monotonic clock. */
  readonly due: number;
}

/** Half of a surrogate pair has no bytes in UTF-8: two users would be one to Redis, and come and go as that. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Channel → connections that are members. It follows the registry, which calls it for each subscription. */
export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  readonly #channels = new Map<string, Map<Subscriber, Member>>();
  /** Channel → user. */
  readonly #awaited = new Map<string, Map<string, Awaited>>();
  /** In the order in which they are given up; some may have come again. */
  readonly #dues = new Set<Awaited>();
  #timer: Timer | undefined;

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
  }

  /** A connection has come to a channel. */
  joined(channel: string, subscriber: Subscriber, member: Member): void {
    if (channel.endsWith(PRESENCE_SUFFIX)) return;
    let members = this.#channels.get(channel);
    if (members === undefined) {
      members = new Map();
      this.#channels.set(channel, members);
    }
    members.set(subscriber, member);
    this.#forget(channel, member.user);
    if (member.announced) this.#options.counts?.enter(channel, member.user, member.info);
  }

  /** A connection has left a channel. Costs next to nothing where it was no member. */
  left(channel: string, subscriber: Subscriber): void {
    const members = this.#channels.get(channel);
    const member = members?.get(subscriber);
    if (members === undefined || member === undefined) return;
    members.delete(subscriber);
    if (members.size === 0) this.#channels.delete(channel);
    if (kindRows[subscriber.kind].polls) this.#await(channel, { ...rowOf(subscriber, member), connections: 0 });
    if (member.announced) this.#options.counts?.leave(channel, member.user);
  }

  /** A connection on these channels is another member from here on, or none. */
  changed(channels: Iterable<string>, subscriber: Subscriber, member: Member | undefined): void {
    for (const channel of channels) {
      const known = this.#channels.get(channel)?.get(subscriber);
      if (known?.user === member?.user && known?.info === member?.info) continue;
      this.left(channel, subscriber);
      if (member !== undefined) this.joined(channel, subscriber, member);
    }
  }

  /** The members of a channel. */
  view(channel: string): MembersView {
    const members = this.#channels.get(channel) ?? NOBODY;
    const connections = members.size;
    const rows = new Map<string, MemberRow>();
    // In the order of their coming: the first connection of a user is the one that has been there longest.
    for (const [subscriber, member] of members) {
      const row = rows.get(member.user);
      if (row !== undefined) rows.set(member.user, { ...row, connections: row.connections + 1 });
      else if (rows.size === PRESENCE_MEMBERS_MAX) return { connections };
      else rows.set(member.user, rowOf(subscriber, member));
    }
    for (const { row } of this.#awaited.get(channel)?.values() ?? []) {
      if (rows.has(row.user)) continue;
      if (rows.size === PRESENCE_MEMBERS_MAX) return { connections };
      rows.set(row.user, row);
    }
    return { connections, members: [...rows.values()] };
  }

  #await(channel: string, row: MemberRow): void {
    const { clock, presenceDelay } = this.#options;
    if (presenceDelay === 0) return;
    const awaited = { channel, row, due: clock.monotonic() + presenceDelay };
    const users = this.#awaited.get(channel) ?? new Map<string, Awaited>();
    this.#awaited.set(channel, users.set(row.user, awaited));
    this.#dues.add(awaited);
    this.#timer ??= clock.after(presenceDelay, () => this.#look());
  }

  #look(): void {
    const { clock } = this.#options;
    this.#timer = undefined;
    const now = clock.monotonic();
    for (const awaited of this.#dues) {
      const { channel, row, due } = awaited;
      if (due > now) {
        this.#timer = clock.after(due - now, () => this.#look());
        return;
      }
      this.#dues.delete(awaited);
      if (this.#awaited.get(channel)?.get(row.user) === awaited) this.#forget(channel, row.user);
    }
  }

  #forget(channel: string, user: string): void {
    const users = this.#awaited.get(channel);
    if (users?.delete(user) && users.size === 0) this.#awaited.delete(channel);
  }
}

const NOBODY: ReadonlyMap<Subscriber, Member> = new Map();

function rowOf(subscriber: Subscriber, { user, info }: Member): MemberRow {
  const { since } = subscriber.view();
  return { user, kind: subscriber.kind, since, ...(info !== undefined && { info }), connections: 1 };
}
