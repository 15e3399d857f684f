// What was published, and what came of it: so that a lost, doubled or reordered item is found.

/** @typedef {{ channel: number, at: number, acceptedAt: number | undefined, refused: boolean, nodes: number, holds: number }} Published */

export class Ledger {
  /** By number; an item's id is its number. @type {Published[]} */
  items = [];
  /** Milliseconds from publish to each node. @type {number[]} */
  latencies = [];
  /** Holds that got an item again, or after a later one. */
  disorder = 0;
  /** @type {Map<string, number>} */
  gaps = new Map();
  lastReadAt = 0;
  lastArrivalAt = 0;
  /** By channel. @type {Map<number, number>} */
  #lastGapAt = new Map();
  #time;

  /** @param {{ readonly now: number }} time */
  constructor(time) {
    this.#time = time;
  }

  /** @param {number} channel @returns {Published} */
  publish(channel) {
    const item = { channel, at: this.#time.now, acceptedAt: undefined, refused: false, nodes: 0, holds: 0 };
    this.items.push(item);
    return item;
  }

  /** An item has come to a node. @param {string} id */
  arrived(id) {
    const item = this.items[Number(id)];
    item.nodes++;
    this.latencies.push(this.#time.now - item.at);
    this.lastArrivalAt = this.#time.now;
  }

  /** A hold has it. @param {string} id @param {boolean} isNext */
  held(id, isNext) {
    this.items[Number(id)].holds++;
    if (!isNext) this.disorder++;
  }

  /** A node has read a part of a history. */
  historyRead() {
    this.lastReadAt = this.#time.now;
  }

  /** A node reports that items of a channel are lost to it. @param {number} channel @param {string} reason */
  gap(channel, reason) {
    this.gaps.set(reason, (this.gaps.get(reason) ?? 0) + 1);
    this.#lastGapAt.set(channel, this.#time.now);
  }

  /** Whether a gap was reported on the channel of an item after that was published. @param {Published} item */
  isInGap({ channel, at }) {
    return (this.#lastGapAt.get(channel) ?? Number.NEGATIVE_INFINITY) >= at;
  }
}
