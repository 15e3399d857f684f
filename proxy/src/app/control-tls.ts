/** TLS of the control API: certificates as for clients, and of publishers, where an authority of theirs is given. */
import type { Containment, ControlServerOptions } from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import type { EdgeError } from '../edge/errors.js';
import { TlsCertificates } from '../edge/tls-certificates.js';
import { TlsPolicy } from '../edge/tls-policy.js';
import { createTlsServer } from '../edge/tls-server.js';
import type { Clock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import { Refusals } from '../telemetry/refusals.js';

/**
 * How the control API makes its server with TLS; undefined where it has none.
 * @throws EdgeError when the file of authorities cannot be used
 */
export function controlTls(
  { pushInHttpsPort, pushInClientCa, tlsCertsDir }: Config,
  log: ReturnType<RootLog['child']>,
  faults: Containment,
  clock: Clock,
): ControlServerOptions['tls'] {
  if (pushInHttpsPort === -1) return undefined;
  const fault = (error: EdgeError) => log.error({ err: error }, error.message);
  const policy = new TlsPolicy({ clientCa: pushInClientCa }, fault);
  const refusals = new Refusals(log, clock);
  const missing = (name: string, port: number) => refusals.unnamed(name, port, tlsCertsDir);
  const certificates = new TlsCertificates(tlsCertsDir, fault, missing, policy);
  return (options) => createTlsServer({ options, certificates, requiresClients: true, faults, onSocket: () => {} });
}
