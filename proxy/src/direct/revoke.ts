/** Ends what is held by tokens that are revoked. */
import { type Revocations, readRevocations } from '@holdfast/control-api';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import { ISSUED_META } from './permit.js';

/**
 * Notes revocations, as another process has said them, and ends the holds and sessions of this process whose tokens they cover. How
 * many those were. Looks at the clients of a user only where something new is said of that user.
 */
export function revoke(said: unknown, revocations: Revocations, { users }: Pick<ChannelRegistry, 'users'>): number {
  let ended = 0;
  for (const revocation of readRevocations(said)) {
    if (revocations.add(revocation) !== 'new') continue;
    const covered = [...users.of(revocation.sub)].filter((subscriber) => isCovered(subscriber, revocations));
    for (const subscriber of covered) subscriber.disconnect();
    ended += covered.length;
  }
  return ended;
}

function isCovered({ meta }: Subscriber, revocations: Revocations): boolean {
  const issued = meta?.get(ISSUED_META);
  return issued !== undefined && revocations.covers(meta?.get('user') ?? '', Number(issued));
}
