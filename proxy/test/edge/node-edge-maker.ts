/** Makes a `NodeEdge` for a test. */
import { NodeEdge } from '../../dist/edge/node/edge.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import type { DirectWrites } from '../../dist/runtime/node-internals/socket-writes.js';
import { WsAcceptor } from '../../dist/websocket/ws-handshakes.js';
import { type EdgeSurroundings, edgeDeps, type MakeEdge } from './clause.js';

/** A node edge without certificates. */
export const makeNodeEdge: MakeEdge = (surroundings) =>
  nodeEdge(surroundings, new TlsCertificates('/nonexistent', () => {}));

/** A node edge with these certificates. */
export function nodeEdge(
  surroundings: EdgeSurroundings,
  certificates: TlsCertificates,
  direct?: DirectWrites,
): NodeEdge {
  const sockets = new WsAcceptor({ websocketMessageMax: 65_536, allowCompression: false });
  return new NodeEdge(
    surroundings.handler,
    { ...surroundings.limits, certificates, sockets },
    { ...edgeDeps(surroundings), ...(direct && { direct }) },
  );
}
