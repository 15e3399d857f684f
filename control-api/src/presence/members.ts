/** Who is on a channel: what one process, one node or all of them answer, and how several answers become one. */
import { type SubscriberKind, subscriberKinds } from '@holdfast/grip';

/**
 * Members of a channel that a view lists, and that an item about joins and leaves may be about. A list of more is of no use to a person.
 *
 * @limit {} members of a channel that are listed by name
 * @over counts only: `capped` in the view and in presence events
 */
export const PRESENCE_MEMBERS_MAX = 1_000;

/** A user on a channel. */
export interface MemberRow {
  readonly user: string;
  /** Of the connection that has been there longest; so are the next two. */
  readonly kind: SubscriberKind;
  /** When that was held or opened: ISO 8601, UTC. */
  readonly since: string;
  /** The meta `info`; left out if it has none. */
  readonly info?: string;
  /** How many connections the user has on the channel. */
  readonly connections: number;
}

/** The members of a channel as one process, one node or all of them see them. */
export interface MembersView {
  /** Connections of users, whether these are listed or not. */
  readonly connections: number;
  /** By the time of their coming; left out where there are more than {@link PRESENCE_MEMBERS_MAX}. */
  readonly members?: readonly MemberRow[];
}

/** Several views in one: a user who is in several is one member. */
export function sumMembersViews(views: readonly MembersView[]): MembersView {
  const connections = views.reduce((sum, view) => sum + view.connections, 0);
  const rows = new Map<string, MemberRow>();
  for (const { members } of views) {
    if (members === undefined) return { connections };
    for (const row of members) {
      const other = rows.get(row.user);
      rows.set(row.user, other === undefined ? row : sumRows(other, row));
      if (rows.size > PRESENCE_MEMBERS_MAX) return { connections };
    }
  }
  return { connections, members: [...rows.values()].sort(byComing) };
}

function sumRows(one: MemberRow, other: MemberRow): MemberRow {
  const first = byComing(one, other) <= 0 ? one : other;
  return { ...first, connections: one.connections + other.connections };
}

function byComing(one: MemberRow, other: MemberRow): number {
  if (one.since !== other.since) return one.since < other.since ? -1 : 1;
  return one.user < other.user ? -1 : Number(one.user > other.user);
}

/** Reads what a node or process answered; undefined when it is no such view, as of a version that has another form. */
export function readMembersView(answer: unknown): MembersView | undefined {
  const { connections, members } = (answer ?? {}) as Record<string, unknown>;
  if (!isCount(connections)) return undefined;
  if (members === undefined) return { connections };
  if (!Array.isArray(members) || members.length > PRESENCE_MEMBERS_MAX) return undefined;
  const rows: MemberRow[] = [];
  for (const member of members as readonly unknown[]) {
    const row = readRow(member);
    if (row === undefined) return undefined;
    rows.push(row);
  }
  return { connections, members: rows };
}

function readRow(member: unknown): MemberRow | undefined {
  const { user, kind, since, info, connections } = (member ?? {}) as Record<string, unknown>;
  if (typeof user !== 'string' || typeof since !== 'string' || !isKind(kind) || !isCount(connections)) return undefined;
  return { user, kind, since, connections, ...(typeof info === 'string' && { info }) };
}

function isKind(value: unknown): value is SubscriberKind {
  return (subscriberKinds as readonly unknown[]).includes(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
