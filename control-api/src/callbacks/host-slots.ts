/** How many requests are under way at a time: to one host, and to all. */

/**
 * Requests to callbacks of all hosts, on one node.
 *
 * @limit {} requests to callbacks under way on a node
 * @over the next one waits
 */
export const CALLBACKS_UNDER_WAY = 256;

interface Host {
  underWay: number;
  readonly waiting: Array<() => void>;
}

/** Places for requests. Who waits for one gets it in turn, among those for the same host; hosts without waiters are not kept. */
export class HostSlots {
  readonly #perHost: number;
  readonly #total: number;
  readonly #hosts = new Map<string, Host>();
  /** Hosts that have a place free, and somebody who waits for one of all. */
  readonly #ready = new Set<string>();
  #underWay = 0;

  constructor(perHost: number, total = CALLBACKS_UNDER_WAY) {
    this.#perHost = perHost;
    this.#total = total;
  }

  /** Requests under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Takes a place; resolves when there is one. To be given back with {@link leave}, whatever becomes of the request. */
  enter(name: string): Promise<void> | undefined {
    const host = this.#hosts.get(name) ?? { underWay: 0, waiting: [] };
    this.#hosts.set(name, host);
    if (host.waiting.length === 0 && host.underWay < this.#perHost && this.#underWay < this.#total) {
      this.#take(host);
      return undefined;
    }
    return new Promise((resolve) => {
      host.waiting.push(resolve);
      if (host.underWay < this.#perHost) this.#ready.add(name);
    });
  }

  /** Gives a place back. */
  leave(name: string): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    host.underWay--;
    this.#underWay--;
    if (host.waiting.length > 0) this.#ready.add(name);
    else if (host.underWay === 0) this.#hosts.delete(name);
    this.#serve();
  }

  #take(host: Host): void {
    host.underWay++;
    this.#underWay++;
  }

  /** Hosts in turn, so that one with many callbacks does not hold up the others. */
  #serve(): void {
    while (this.#underWay < this.#total) {
      const [name] = this.#ready;
      if (name === undefined) return;
      this.#ready.delete(name);
      const host = this.#hosts.get(name);
      const next = host?.waiting.shift();
      if (host === undefined || next === undefined) continue;
      this.#take(host);
      if (host.waiting.length > 0 && host.underWay < this.#perHost) this.#ready.add(name);
      next();
    }
  }
}
