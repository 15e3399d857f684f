/** Session tickets of a TLS server under several keys, by names that node does not document. */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';

/** Bytes of each part of a key: its name, the key of the HMAC (SHA-256), and that of the cipher (AES-128-CBC). */
const PART = 16;

/** Bytes of a key: its three parts, in the order that node's `ticketKeys` has them. */
export const TICKET_KEY_BYTES = 3 * PART;

/** What OpenSSL does with a ticket: none that counts (a full handshake), take it, take it and send a new one. */
const [UNKNOWN, TAKEN, RENEWED] = [0, 1, 2];

type TicketAnswer = readonly [number, ...(Buffer | null)[]];

/** What node has beneath a server's certificates. */
interface TicketContext {
  enableTicketKeyCallback?: () => void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, isNew: boolean) => TicketAnswer;
}

const part = (key: Buffer, n: number): Buffer => key.subarray(n * PART, (n + 1) * PART);

/**
 * Has a server make tickets with the key that `keys` names first, and take those of all of them. It is asked for each ticket
 * from then on. False, with nothing changed, where this version of node cannot. Holds until the server gets other certificates.
 */
export function useTicketKeys(server: Server, keys: () => readonly Buffer[]): boolean {
  const { context } = (server as unknown as { _sharedCreds?: { context?: TicketContext } })._sharedCreds ?? {};
  if (typeof context?.enableTicketKeyCallback !== 'function') return false;
  context.onticketkeycallback = (name, _iv, isNew) => answer(keys(), name, isNew);
  context.enableTicketKeyCallback();
  return true;
}

/** Must not throw: node would end the process. */
function answer(keys: readonly Buffer[], name: Buffer, isNew: boolean): TicketAnswer {
  const [first] = keys;
  const key = isNew ? first : keys.find((one) => part(one, 0).equals(name));
  // Node wants both keys in any case.
  if (key === undefined) return [UNKNOWN, name, name];
  if (isNew) return [TAKEN, part(key, 1), part(key, 2), part(key, 0), randomBytes(PART)];
  return [key === first ? TAKEN : RENEWED, part(key, 1), part(key, 2), null, null];
}
