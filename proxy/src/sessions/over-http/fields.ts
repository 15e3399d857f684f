/**
 * Owns: the header fields that requests of a session to an origin over HTTP have beside the client's own. Does not own:
 * when they are made, or what the answers mean.
 */
import { EVENTS_TYPE } from './events.js';
import type { HttpMeta } from './meta.js';

/** How a session presents itself to its origin. */
export interface HttpNaming {
  /** Names the session to the origin: the same in all of its requests, and no other session's. */
  readonly connectionId: string;
  /** Whether the `grip` extension is offered, in every request: not on `no_grip` routes, nor for trusted clients. */
  readonly offersGrip: boolean;
}

/** As flat pairs. `meta` is what the origin has set; `replayed` of the content bytes it has seen before. */
export function httpFields(naming: HttpNaming, meta: HttpMeta | undefined, replayed: number): string[] {
  const fields = ['Accept', EVENTS_TYPE, 'Connection-Id', naming.connectionId, 'Content-Type', EVENTS_TYPE];
  if (replayed > 0) fields.push('Content-Bytes-Replayed', String(replayed));
  if (meta !== undefined) fields.push(...meta.headers);
  if (naming.offersGrip) fields.push('Sec-WebSocket-Extensions', 'grip');
  return fields;
}
