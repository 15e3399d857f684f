/** Makes a `NodeEdge` for a test. */
import { NodeEdge } from '../../dist/edge/node/edge.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import type { DirectWrites } from '../../dist/runtime/node-internals/socket-writes.js';
import { WsAcceptor } from '../../dist/websocket/ws-handshakes.js';
import { type MakeEdge, noLimit } from './clause.js';

/** A node edge without certificates. */
export const makeNodeEdge: MakeEdge = (surroundings) =>
  nodeEdge(surroundings, new TlsCertificates('/nonexistent', () => {}));

/** A node edge with these certificates. */
export function nodeEdge(
  { handler, limits, clock, descriptors = noLimit, refused }: Parameters<MakeEdge>[0],
  certificates: TlsCertificates,
  direct?: DirectWrites,
): NodeEdge {
  let requests = 0;
  return new NodeEdge(
    handler,
    { ...limits, certificates, sockets: new WsAcceptor({ websocketMessageMax: 65_536, allowCompression: false }) },
    {
      clock,
      descriptors,
      nextId: () => `r${++requests}`,
      ...(direct && { direct }),
      events: {
        connectionRefused: () => refused.push('connection'),
        descriptorsShort: () => refused.push('descriptors'),
        requestRefused: (reason) => refused.push(reason),
        proxyRefused: (why) => refused.push(why),
        writeTimedOut: () => refused.push('write_timeout'),
      },
    },
  );
}
