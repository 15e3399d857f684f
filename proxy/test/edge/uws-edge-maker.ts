/** Makes a `UwsEdge` for a test. */
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { UwsEdge } from '../../dist/edge/uws/edge.js';
import { loadUws, type UwsLibrary } from '../../dist/edge/uws/library.js';
import type { UwsEdgeOptions } from '../../dist/edge/uws/listener.js';
import { type MakeEdge, noLimit } from './clause.js';

/** The library, with room for the heads of all tests. */
export const uws = loadUws(32_768);

/** A uws edge without certificates. */
export const makeUwsEdge: MakeEdge = (surroundings) => uwsEdge(surroundings);

/** A uws edge with these options, on the library itself or something in front of it. */
export function uwsEdge(
  { handler, limits, clock, descriptors = noLimit, refused }: Parameters<MakeEdge>[0],
  options: Partial<UwsEdgeOptions> = {},
  library: UwsLibrary = uws,
): UwsEdge {
  let requests = 0;
  const { clientBufferSize, clientMaxconn, writeTimeout } = limits;
  const certificates = new TlsCertificates('/nonexistent', () => {});
  const defaults = { websocketMessageMax: 65_536, allowCompression: false, sharesPorts: false, certificates };
  return new UwsEdge(
    library,
    handler,
    { clientBufferSize, clientMaxconn, writeTimeout, ...defaults, ...options },
    {
      clock,
      descriptors,
      nextId: () => `r${++requests}`,
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
