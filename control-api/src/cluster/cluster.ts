/** The port through which the nodes of one system know and query each other, and a cluster of one node. */
import { type Clock, within } from '../runtime/clock.js';
import type { CloseOrder, ConnectionQuestion } from './connection-questions.js';
import type { Revocation } from './revocations.js';

/** What a node reports of itself at each heartbeat. */
export interface NodeState {
  /** Unique among all nodes that ever ran on this system; new with each start. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Processes that serve clients. */
  readonly workers: number;
  /** Client connections, held or not. */
  readonly connections: number;
  /** Channels that somebody on this node is subscribed to. */
  readonly channels: number;
}

/** A node as the others know it. */
export interface KnownNode extends NodeState {
  /** Milliseconds since its last heartbeat. */
  readonly age: number;
}

/**
 * Milliseconds since the last heartbeat of a node, above which it is reported as silent: two heartbeats did not come.
 *
 * @limit {s} since the last heartbeat of a node
 * @over `GET /nodes` names it as silent
 */
export const SILENT_AFTER_MS = 7_000;

/** What one node can ask all others, as JSON. */
export type Question =
  /** What the node knows of a channel: a `ChannelView`. */
  | { readonly about: 'channel'; readonly name: string }
  /** Who is on a channel: a `MembersView`. */
  | { readonly about: 'members'; readonly name: string }
  /** Who is subscribed to each of these channels: a list of `SubscriberCounts`, in the same order. */
  | { readonly about: 'reach'; readonly channels: readonly string[] }
  /** The routes in force: a list of their views. Asked of the own node alone. */
  | { readonly about: 'routes' }
  /** One connection: a `ConnectionView`, or null from nodes that do not have it. */
  | { readonly about: 'connection'; readonly id: string }
  /** Ends one connection, a session with this Close: true from the node that had it, false from the others. */
  | { readonly about: 'disconnect'; readonly id: string; readonly close?: CloseOrder }
  /** Ends what is held by these tokens, and takes them no more: how many have been ended. */
  | { readonly about: 'revoke'; readonly revocations: readonly Revocation[] }
  | ConnectionQuestion;

/** What one node answered. */
export interface NodeAnswer {
  readonly node: string;
  /** JSON, as {@link Question} says; the asking node checks it, since nodes may run different versions. */
  readonly answer: unknown;
}

/** What became of a question. */
export interface Replies {
  readonly answers: readonly NodeAnswer[];
  /** Nodes that did not answer in time. */
  readonly silent: readonly string[];
}

/** This node's end. */
export interface NodeMember {
  /** Asked at every heartbeat. */
  state(): NodeState;
  /** Answers a question of any node, this one included. A rejection counts as no answer. */
  answer(question: Question): Promise<unknown>;
}

/** The nodes of one system, seen from one of them. */
export interface Cluster {
  /** Becomes known to the others. To be called once, before anything else. Rejects as `Backplane.start` does. */
  join(member: NodeMember): Promise<void>;

  /** This node, as it is now; undefined before {@link join} and after {@link leave}. */
  self(): KnownNode | undefined;

  /** All nodes with a recent heartbeat, this one included, as it is now. Rejects with ERR_BACKPLANE_UNAVAILABLE. */
  list(): Promise<readonly KnownNode[]>;

  /**
   * Asks all known nodes, this one included. Resolves when all have answered or `withinMs` is over, with what there is. Rejects with ERR_BACKPLANE_UNAVAILABLE.
   */
  ask(question: Question, withinMs: number): Promise<Replies>;

  /** Is forgotten by the others at once. May be called again. */
  leave(): Promise<void>;
}

/** In-process {@link Cluster}. Before `join` and after `leave` there is no node: none is listed, and none asked. */
export class StandaloneNode implements Cluster {
  readonly #clock: Clock;
  #member: NodeMember | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  join(member: NodeMember): Promise<void> {
    this.#member = member;
    return Promise.resolve();
  }

  self(): KnownNode | undefined {
    return this.#member && { ...this.#member.state(), age: 0 };
  }

  async list(): Promise<readonly KnownNode[]> {
    return [this.self() ?? []].flat();
  }

  /** A member that does not answer in time, rejects or throws is silent, as another node would be. */
  async ask(question: Question, withinMs: number): Promise<Replies> {
    const member = this.#member;
    if (member === undefined) return { answers: [], silent: [] };
    const node = member.state().id;
    try {
      const answer = await within(this.#clock, withinMs, member.answer(question));
      return { answers: [{ node, answer }], silent: [] };
    } catch {
      return { answers: [], silent: [node] };
    }
  }

  leave(): Promise<void> {
    this.#member = undefined;
    return Promise.resolve();
  }
}
