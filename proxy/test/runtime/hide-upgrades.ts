/** A version of node that does not check after a read whether a change of protocols was asked for. */
import { IncomingMessage } from 'node:http';
import type { Test } from 'tap';

/** Until the end of a test no message can be marked as one that asks for another protocol. */
export function hideUpgrades(t: Test): void {
  Object.defineProperty(IncomingMessage.prototype, 'upgrade', { configurable: true, get: () => false, set: () => {} });
  t.teardown(() => Reflect.deleteProperty(IncomingMessage.prototype, 'upgrade'));
}
