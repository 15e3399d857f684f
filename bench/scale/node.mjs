// A node of the simulation: the real backplane, cursors, hub, registry and delivery; its holds are as light as they can be.
import {
  BackplaneHub,
  ChannelInterest,
  ChannelRegistry,
  ItemDelivery,
  noRedisEvents,
  RedisBackplane,
  silentLog,
} from './code.mjs';

/** The options of a node that matter here, at their defaults. */
const HISTORY_SIZE = 1_000;
const HISTORY_TTL_MS = 600_000;
const ID_CACHE_TTL_MS = 60_000;
const MESSAGE_WAIT_MS = 5_000;
const LINGER_MS = 60_000;

export const PREFIX = 'holdfast';

/** One client on one channel, which notes what it gets. */
export class LightHold {
  #ledger;
  channel;
  /** Offset of the last item. */
  #last = 0;

  /** @param {import('./ledger.mjs').Ledger} ledger @param {number} channel */
  constructor(ledger, channel) {
    this.#ledger = ledger;
    this.channel = channel;
  }

  get id() {
    return '';
  }

  get kind() {
    return 'stream';
  }

  get routeKey() {
    return '';
  }

  /** @param {{ item: { id: string }, position: { offset: number } }} delivery */
  deliver({ item, position }) {
    this.#ledger.held(item.id, position.offset > this.#last);
    this.#last = position.offset;
    return true;
  }

  missed() {
    this.#last = 0;
  }

  recover() {}

  /** @param {unknown} error */
  fault(error) {
    throw error;
  }
}

/** What is real of a node, over a network that is real or simulated. */
export class LightNode {
  registry;
  /** Backfills and other reads of histories. */
  reads = 0;
  #hub;
  #share;
  #delivery;
  #ledger;
  #delivers;

  /**
   * `delivers` is called with the number of holds that an item goes to. Without a network the real one is used.
   *
   * @param {{
   *   redisUrl: string,
   *   clock: any,
   *   random: () => number,
   *   network?: import('./network.mjs').NodeNetwork,
   *   ledger: import('./ledger.mjs').Ledger,
   *   delivers?: (holds: number) => void,
   * }} options
   */
  constructor({ redisUrl, clock, random, network, ledger, delivers = () => {} }) {
    this.#ledger = ledger;
    this.#delivers = delivers;
    const historyRead = () => {
      this.reads++;
      ledger.historyRead();
    };
    const inner = new RedisBackplane({
      redisUrl,
      redisPrefix: PREFIX,
      historySize: HISTORY_SIZE,
      historyTtl: HISTORY_TTL_MS,
      idCacheTtl: ID_CACHE_TTL_MS,
      clock,
      random,
      events: { ...noRedisEvents, historyRead },
      log: silentLog,
      ...(network && { network }),
    });
    this.#hub = new BackplaneHub({ inner, log: silentLog });
    this.#share = this.#hub.share();
    const events = {
      itemDelivered() {},
      itemsLost() {},
      itemHeld() {},
      itemReleased() {},
      itemsAbandoned() {},
    };
    this.#delivery = new ItemDelivery(() => this.registry, {
      clock,
      messageWait: MESSAGE_WAIT_MS,
      events,
      log: silentLog,
    });
    const interest = new ChannelInterest({
      backplane: this.#share,
      sequencer: this.#delivery,
      clock,
      updateOnFirstSubscription: false,
      subscribersOf: (/** @type {string} */ channel) => this.registry.of(channel),
    });
    this.registry = new ChannelRegistry(interest, clock, LINGER_MS);
  }

  /** Resolves when it may publish and subscribe. */
  start() {
    return this.#share.start({
      onMessage: (/** @type {any} */ message) => {
        if (message.type === 'item') {
          this.#ledger.arrived(message.id);
          this.#delivers(this.registry.count(message.item.channel));
        }
        this.#delivery.onMessage(message);
      },
      onGap: (/** @type {any} */ gap) => {
        this.#ledger.gap(numberOf(gap.channel), gap.reason);
        this.#delivery.onGap(gap);
      },
    });
  }

  /** Opens a hold. @param {number} channel @returns {Promise<void> | undefined} when it is live */
  hold(channel) {
    return this.registry.add(new LightHold(this.#ledger, channel), [nameOf(channel)]);
  }

  /** @param {any} message */
  publish(message) {
    return this.#hub.publish([message]);
  }

  close() {
    return this.#hub.close();
  }
}

const CHANNEL = 'channel-';

/** @param {number} channel */
export function nameOf(channel) {
  return `${CHANNEL}${channel}`;
}

/** @param {string} name */
function numberOf(name) {
  return Number(name.slice(CHANNEL.length));
}
