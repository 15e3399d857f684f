/** Which connections clients may open, by their addresses: how many at a time, and how many new ones in a second. */
import { CauseLog, type Log } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import { AddressRanges, addressKey } from '../config/types/address-ranges.js';
import type { ConnectionGate } from '../edge/port.js';
import type { Clock } from '../runtime/clock.js';
import { KeyedCount, KeyedRate } from '../runtime/keyed-limits.js';

/** The collaborators. */
export interface AddressGateDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** A connection was closed because of the limit of this name. */
  readonly limited: (limit: string) => void;
  /** Processes of this node that share its clients: each has its share of a limit. */
  readonly processes: number;
}

/** The options of addresses. */
export type AddressGateOptions = Pick<Options, 'clientMaxPerAddress' | 'clientAcceptRate' | 'trustedProxies'>;

/** Proxies that are trusted, and unix sockets, are not limited: the connections of all their clients have one address. */
export class AddressGate implements ConnectionGate {
  readonly #count: KeyedCount | undefined;
  readonly #rate: KeyedRate | undefined;
  readonly #exempt: AddressRanges;
  readonly #deps: AddressGateDeps;
  readonly #causes: CauseLog;

  constructor(options: AddressGateOptions, deps: AddressGateDeps) {
    const { clientMaxPerAddress: max, clientAcceptRate: perSecond, trustedProxies } = options;
    const { clock, processes } = deps;
    const rate = { perSecond: perSecond / processes, burst: Math.max(1, Math.ceil((2 * perSecond) / processes)) };
    this.#count = Number.isFinite(max) ? new KeyedCount(Math.ceil(max / processes)) : undefined;
    this.#rate = Number.isFinite(perSecond) ? new KeyedRate(rate, clock) : undefined;
    this.#exempt = new AddressRanges(trustedProxies);
    this.#deps = deps;
    this.#causes = new CauseLog(deps.log, clock);
  }

  /** Undefined where neither is limited. */
  static of(options: AddressGateOptions, deps: AddressGateDeps): AddressGate | undefined {
    const isOff = !Number.isFinite(options.clientMaxPerAddress) && !Number.isFinite(options.clientAcceptRate);
    return isOff ? undefined : new AddressGate(options, deps);
  }

  mayConnect(address: string): boolean {
    if (this.#rate === undefined || this.#isExempt(address) || this.#rate.take(addressKey(address)) === 0) return true;
    this.#refused('client_accept_rate', address);
    return false;
  }

  enter(address: string): boolean {
    if (this.#count === undefined || this.#isExempt(address) || this.#count.add(addressKey(address))) return true;
    this.#refused('client_max_per_address', address);
    return false;
  }

  leave(address: string): void {
    if (!this.#isExempt(address)) this.#count?.remove(addressKey(address));
  }

  #isExempt(address: string): boolean {
    return address === '' || this.#exempt.has(address);
  }

  #refused(limit: string, address: string): void {
    this.#deps.limited(limit);
    this.#causes.warn(limit, { limit, client: address }, `connection of ${address} closed: ${limit} is reached`);
  }
}
