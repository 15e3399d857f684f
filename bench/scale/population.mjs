// Which clients are on which channels, at which nodes.
import { randomOf } from './time.mjs';

/** Nodes are bits of two words. */
export const MOST_NODES = 64;

/** How clients choose their channels: all channels alike, or as words in a language (Zipf's law): a few are rooms with thousands. */
export const spreads = /** @type {const} */ (['uniform', 'zipf']);

export class Population {
  channels;
  nodes;
  /** By channel: how many holds. */
  holdsOn;
  /** By hold: its channel and its node. */
  channelOf;
  nodeOf;
  #low;
  #high;

  /** @param {{ nodes: number, channels: number, holds: number, spread: typeof spreads[number], seed: number }} options */
  constructor({ nodes, channels, holds, spread, seed }) {
    if (nodes > MOST_NODES) throw new Error(`there can be ${MOST_NODES} nodes at most`);
    const random = randomOf(seed);
    this.nodes = nodes;
    this.channels = channels;
    this.holdsOn = new Uint32Array(channels);
    this.channelOf = new Uint32Array(holds);
    this.nodeOf = new Uint8Array(holds);
    this.#low = new Uint32Array(channels);
    this.#high = new Uint32Array(channels);
    const draw = spread === 'zipf' ? zipf(channels, random) : undefined;
    for (let hold = 0; hold < holds; hold++) {
      const channel = draw?.() ?? hold % channels;
      const node = Math.floor(random() * nodes);
      this.channelOf[hold] = channel;
      this.nodeOf[hold] = node;
      this.holdsOn[channel]++;
      if (node < 32) this.#low[channel] |= 1 << node;
      else this.#high[channel] |= 1 << (node - 32);
    }
  }

  /** How many nodes have subscribers of a channel. @param {number} channel */
  nodesOn(channel) {
    return bits(this.#low[channel]) + bits(this.#high[channel]);
  }

  /** Subscriptions at Redis: of each node one for each of its channels. */
  get subscriptions() {
    let sum = 0;
    for (let channel = 0; channel < this.channels; channel++) sum += this.nodesOn(channel);
    return sum;
  }
}

/** @param {number} count @param {() => number} random @returns {() => number} */
function zipf(count, random) {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1);
    sums[i] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** @param {number} word */
function bits(word) {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
