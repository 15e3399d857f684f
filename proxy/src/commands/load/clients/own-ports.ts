/** The own addresses and ports of connections. */
import { readFileSync } from 'node:fs';

/** The ports that the system gives out for connections, the last included; undefined where it does not say. */
export function portRange(): { readonly low: number; readonly high: number } | undefined {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [low = 0, high = 0] = text.trim().split(/\s+/).map(Number);
    return { low, high };
  } catch {
    return undefined;
  }
}

/**
 * Own addresses that clients take in turns, with their ports. A port for an address that is given the system looks for among all, and
 * those that it tries first are half of them: with 14,000 connections from an address each further one took Linux 10 ms.
 * So they are named, one after the other. One that is taken shows as {@link PORT_TAKEN}.
 */
export class OwnPorts {
  readonly #addresses: readonly string[];
  readonly #range = portRange();
  /** Of each address, behind `low`. Not from the first one on: the connections of a run before this may wait for their end. */
  readonly #next: number[];

  /** `random` from 0 on, below 1. */
  constructor(addresses: readonly string[], random: () => number = Math.random) {
    this.#addresses = addresses;
    this.#next = addresses.map(() => Math.floor(random() * this.#size));
  }

  /** How many addresses there are. */
  get count(): number {
    return this.#addresses.length;
  }

  /** For a connection of this client alone; empty where the system chooses. */
  take(client: number): { readonly localAddress?: string; readonly localPort?: number } {
    const at = client % this.#addresses.length;
    const localAddress = this.#addresses[at];
    if (localAddress === undefined) return {};
    if (this.#range === undefined) return { localAddress };
    const place = this.#next[at] as number;
    this.#next[at] = (place + 1) % this.#size;
    return { localAddress, localPort: this.#range.low + place };
  }

  /** The address alone, for connections that several clients share. */
  address(client: number): { readonly localAddress?: string } {
    const localAddress = this.#addresses[client % this.#addresses.length];
    return localAddress === undefined ? {} : { localAddress };
  }

  get #size(): number {
    return this.#range === undefined ? 1 : this.#range.high - this.#range.low + 1;
  }
}

/** The code of the error of a port that is taken. */
export const PORT_TAKEN = 'EADDRINUSE';
