/**
 * Faults in a running Holdfast: loaded into its process before it starts, it makes methods of its parts throw where a
 * test names them in what it sends. Nothing else is changed: the parts, and what contains their faults, are the
 * product's.
 */
import { ClusterViews } from '@holdfast/control-api';
import type { Delivery } from '../../../dist/channels/delivery.js';
import { Sequencer } from '../../../dist/delivery/sequencer.js';
import { NodeResponse } from '../../../dist/edge/node/response.js';
import { UwsResponse } from '../../../dist/edge/uws/response.js';
import { ResponseHold } from '../../../dist/holds/response-hold.js';
import { StreamHold } from '../../../dist/holds/stream-hold.js';
import { Relay } from '../../../dist/request/body-sinks.js';
import { RequestBody } from '../../../dist/request/outgoing-request.js';
import { RequestHandler } from '../../../dist/request/request-handler.js';
import { Session } from '../../../dist/sessions/session.js';

type Method = (this: unknown, ...parameters: never[]) => unknown;

/** Makes a method throw for those calls that `applies` to. */
function sabotage(type: { prototype: object }, name: string, applies: (...parameters: never[]) => boolean): void {
  const prototype = type.prototype as Record<string, Method>;
  const method = prototype[name] as Method;
  prototype[name] = function (...parameters) {
    if (applies.call(this, ...parameters)) throw new Error(`sabotaged ${name}`);
    return method.call(this, ...parameters);
  };
}

const has = (bytes: Buffer, word: string) => bytes.includes(word);
const isVictim = (hold: { view(): { channels: readonly string[] } }) => hold.view().channels.includes('victim');

sabotage(RequestHandler, 'onRequest', ({ path }: { path: string }) => path === '/fault-handler');
sabotage(RequestHandler, 'onWebSocket', ({ path }: { path: string }) => path === '/fault-handler');
sabotage(RequestHandler, 'onRequest', ({ path }: { path: string }) => {
  if (path === '/fault-process') {
    setImmediate(() => {
      throw new Error('sabotaged process');
    });
  }
  return false;
});
sabotage(RequestBody, 'onData', (chunk: Buffer) => has(chunk, 'fault-body'));
sabotage(Relay, 'start', ({ headers }: { headers: readonly string[] }) => headers.includes('fault-head'));
sabotage(Relay, 'onData', (chunk: Buffer) => has(chunk, 'fault-relay'));
for (const type of [ResponseHold, StreamHold]) {
  sabotage(type, 'deliver', function (this: ResponseHold, { item }: Delivery) {
    return item.channel === 'fault' && isVictim(this);
  } as () => boolean);
}
sabotage(Session, 'deliver', function (this: Session, { item }: Delivery) {
  return item.channel === 'fault' && isVictim(this);
} as () => boolean);
sabotage(Session, 'onMessage', (_: string, data: Buffer) => has(data, 'fault-client'));
sabotage(Session, 'originMessage', (_: string, data: Buffer) => has(data, 'fault-origin'));
for (const type of [NodeResponse, UwsResponse]) {
  sabotage(type, 'push', ({ payload }: { payload: Buffer }) => has(payload, 'fault-beat'));
}
sabotage(Sequencer, 'offer', ({ item }: { item: { id?: string } }) => item.id === 'fault-backplane');
sabotage(ClusterViews, 'answer', () => true);
