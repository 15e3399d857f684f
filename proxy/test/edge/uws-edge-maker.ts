/** Makes a `UwsEdge` for a test. */
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { UwsEdge } from '../../dist/edge/uws/edge.js';
import { loadUws, type UwsLibrary } from '../../dist/edge/uws/library.js';
import type { UwsEdgeOptions } from '../../dist/edge/uws/listener.js';
import { type EdgeSurroundings, edgeDeps, type MakeEdge } from './clause.js';

/** The library, with room for the heads of all tests. */
export const uws = loadUws(32_768);

/** A uws edge without certificates. */
export const makeUwsEdge: MakeEdge = (surroundings) => uwsEdge(surroundings);

/** A uws edge with these options, on the library itself or something in front of it. */
export function uwsEdge(
  surroundings: EdgeSurroundings,
  options: Partial<UwsEdgeOptions> = {},
  library: UwsLibrary = uws,
): UwsEdge {
  const { clientBufferSize, clientMaxconn } = surroundings.limits;
  const certificates = new TlsCertificates('/nonexistent', () => {});
  const defaults = { websocketMessageMax: 65_536, allowCompression: false, sharesPorts: false, certificates };
  const all = { clientBufferSize, clientMaxconn, ...defaults, ...options };
  return new UwsEdge(library, surroundings.handler, all, edgeDeps(surroundings));
}
