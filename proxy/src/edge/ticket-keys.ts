/** The keys of session tickets: with them a client that comes back resumes its TLS session, at any server that has the same. */
import { hkdfSync } from 'node:crypto';
import type { Server } from 'node:tls';
import { TICKET_KEY_BYTES, useTicketKeys } from '../runtime/node-internals/session-tickets.js';

/**
 * How long a session can be resumed, in s, and a key that was replaced counts: what OpenSSL has by default.
 *
 * @limit {} s for a TLS session to be resumed after its full handshake
 * @over a full handshake
 */
export const SESSION_LIFE_S = 7_200;

/**
 * Keys that were replaced and count still; each ticket of a client is compared with all of them.
 *
 * @limit {} keys of session tickets that still count after they were replaced
 * @over the oldest counts no longer: a full handshake for its clients
 */
export const REPLACED_MAX = 4;

/** What sessions are for; the same with all nodes, where node's default differs with the command line. */
const CONTEXT = 'holdfast';

interface Replaced {
  readonly key: Buffer;
  /** By the monotonic clock, in ms. */
  readonly until: number;
}

/** The collaborators. */
export interface TicketKeysOptions {
  /** In ms; never set back. */
  readonly now: () => number;
}

/** One key for new tickets, and those that it has replaced lately. */
export class TicketKeys {
  readonly #now: () => number;
  readonly #servers = new Set<Server>();
  #secret: Buffer;
  #key: Buffer;
  #replaced: Replaced[] = [];

  /** `secret` is of any length; the same one gives the same keys everywhere. */
  constructor(secret: Buffer, { now }: TicketKeysOptions) {
    this.#now = now;
    this.#secret = secret;
    this.#key = keyOf(secret);
  }

  /** Options that a server with these keys is made with, and given again with each change of its certificate. */
  get options(): { readonly ticketKeys: Buffer; readonly sessionIdContext: string; readonly sessionTimeout: number } {
    return { ticketKeys: this.#key, sessionIdContext: CONTEXT, sessionTimeout: SESSION_LIFE_S };
  }

  /** Keys that count: that of new tickets first. */
  readonly counting = (): readonly Buffer[] => {
    if (this.#replaced.length === 0) return [this.#key];
    const now = this.#now();
    this.#replaced = this.#replaced.filter(({ until }) => until > now);
    return [this.#key, ...this.#replaced.map(({ key }) => key)];
  };

  /** The server has these keys from here on, until it is closed. To be called again when its certificate has changed. */
  serve(server: Server): void {
    if (!this.#servers.has(server)) {
      this.#servers.add(server);
      server.once('close', () => this.#servers.delete(server));
    }
    // With one key node needs not to ask for it.
    if (this.#replaced.length > 0) this.#apply(server);
  }

  /**
   * New tickets are made with this secret's key; those of the one before are taken for as long as a session lasts. False where
   * it is the same secret.
   */
  replace(secret: Buffer): boolean {
    if (secret.equals(this.#secret)) return false;
    const key = keyOf(secret);
    const others = this.#replaced.filter((one) => !one.key.equals(key));
    const until = this.#now() + SESSION_LIFE_S * 1_000;
    this.#replaced = [{ key: this.#key, until }, ...others].slice(0, REPLACED_MAX);
    this.#secret = secret;
    this.#key = key;
    for (const server of this.#servers) this.#apply(server);
    return true;
  }

  #apply(server: Server): void {
    // Without the other way the key of new tickets is the only one.
    if (!useTicketKeys(server, this.counting)) server.setTicketKeys(this.#key);
  }
}

function keyOf(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'holdfast session tickets', TICKET_KEY_BYTES));
}
