/**
 * The names of everything that Holdfast keeps in Redis.
 *
 * Owns: keys and names of pub/sub channels. Does not own: what is stored there (scripts).
 */
import { ControlError } from '../../errors.js';
import { partitionOf, tagOf } from './partitions.js';

/** What one channel has in Redis. All of it lies in one slot. */
export interface ChannelKeys {
  readonly partition: number;
  /** Hash: `e` epoch, `s` offset of the last item, `l` its id, `t` its time in ms. */
  readonly meta: string;
  /** Stream of the last items, `<offset>-0`: `d` payload, `t` its time in ms, `i` the publisher's id if it gave one. */
  readonly stream: string;
  /** Name for PUBLISH or SPUBLISH. */
  readonly topic: string;
  /** String with the position of the item that had this id lately. */
  id(id: string): string;
  /** String with the result of the last flight of a node, so that repeating it changes nothing. */
  flight(node: string): string;
}

/** Names all begin with `<prefix>:{tag}:`; several systems can share a Redis under different prefixes. */
export class RedisKeys {
  readonly #prefix: string;

  /** Throws ERR_BACKPLANE_URL for a prefix that holds braces, which would break the division into partitions. */
  constructor(prefix: string) {
    if (/[{}]/.test(prefix)) throw new ControlError('ERR_BACKPLANE_URL', 'The Redis prefix must not contain braces.');
    this.#prefix = prefix;
  }

  /** The keys of a channel. */
  channel(name: string): ChannelKeys {
    const partition = partitionOf(name);
    const key = this.#in(partition);
    const wire = wireName(name);
    return {
      partition,
      meta: key(`m:${wire}`),
      stream: key(`h:${wire}`),
      topic: key(`c:${wire}`),
      // The length keeps apart what the colon could not: channel and id may both hold any character.
      id: (id) => key(`i:${wire.length}:${wire}:${id}`),
      flight: (node) => key(`f:${node}:${wire}`),
    };
  }

  /** The keys of the internal channel on which recovers go; no channel of users has them. */
  recover(): ChannelKeys {
    const partition = 0;
    const key = this.#in(partition);
    return {
      partition,
      meta: key('recover:m'),
      stream: key('recover:h'),
      topic: key('recover:c'),
      id: (id) => key(`recover:i:${id}`),
      flight: (node) => key(`recover:f:${node}`),
    };
  }

  /** The keys through which nodes know and ask each other. */
  nodes(): NodeKeys {
    const partition = 0;
    const key = this.#in(partition);
    return {
      partition,
      states: key('nodes'),
      seen: key('nodes:seen'),
      questions: key('questions'),
      answers: (id) => key(`answers:${id}`),
    };
  }

  #in(partition: number): (rest: string) => string {
    const start = `${this.#prefix}:{${tagOf(partition)}}:`;
    return (rest) => start + rest;
  }
}

/** What the nodes have in Redis. All of it lies in one slot. */
export interface NodeKeys {
  readonly partition: number;
  /** Hash of the states of nodes, by id. */
  readonly states: string;
  /** Sorted set of the ids of nodes, by the time of their last heartbeat in ms. */
  readonly seen: string;
  /** Pub/sub name that all nodes listen on. */
  readonly questions: string;
  /** Pub/sub name that the asking node listens on. */
  answers(id: string): string;
}

/** A half of a surrogate pair has no bytes in UTF-8; written out, it cannot be confused with another one. */
function wireName(channel: string): string {
  return /\p{Surrogate}/u.test(channel) ? `\u0000${JSON.stringify(channel)}` : channel;
}
