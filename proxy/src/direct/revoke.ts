/** Ends what is held by tokens that are revoked. */
import { type Revocations, readRevocations } from '@holdfast/control-api';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import { ISSUED_META } from './permit.js';

/**
 * Notes revocations, as another process has said them, and ends the holds and sessions of this process whose tokens they cover. How
 * many those were. Walks all of them only where something new is said.
 */
export function revoke(said: unknown, revocations: Revocations, registry: Pick<ChannelRegistry, 'all'>): number {
  let isNew = false;
  for (const revocation of readRevocations(said)) if (revocations.add(revocation) === 'new') isNew = true;
  if (!isNew) return 0;
  const covered: Subscriber[] = [];
  for (const subscriber of registry.all()) if (isCovered(subscriber, revocations)) covered.push(subscriber);
  for (const subscriber of covered) subscriber.disconnect();
  return covered.length;
}

function isCovered({ meta }: Subscriber, revocations: Revocations): boolean {
  const issued = meta?.get(ISSUED_META);
  return issued !== undefined && revocations.covers(meta?.get('user') ?? '', Number(issued));
}
