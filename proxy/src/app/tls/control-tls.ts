/** TLS of the control API: certificates as for clients, and of publishers, where an authority of theirs is given. */
import { CauseLog, type Containment, type ControlServerOptions } from '@holdfast/control-api';
import type { Config } from '../../config/config.js';
import { TlsCertificates } from '../../edge/tls-certificates.js';
import { TlsPolicy } from '../../edge/tls-policy.js';
import { createTlsServer } from '../../edge/tls-server.js';
import type { EdgeError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import { legible } from '../../runtime/legible.js';
import type { RootLog } from '../../telemetry/log.js';

/**
 * How the control API makes its server with TLS; undefined where it has none.
 * @throws EdgeError when the file of authorities cannot be used
 */
export function controlTls(
  { pushInHttpsPort, pushInClientCa, tlsCertsDir, tlsMinVersion, tlsCiphers }: Config,
  log: ReturnType<RootLog['child']>,
  faults: Containment,
  clock: Clock,
): ControlServerOptions['tls'] {
  if (pushInHttpsPort === -1) return undefined;
  const fault = (error: EdgeError) => log.error({ err: error }, error.message);
  const policy = new TlsPolicy({ minVersion: tlsMinVersion, ciphers: tlsCiphers, clientCa: pushInClientCa }, fault);
  const causes = new CauseLog(log, clock);
  const missing = (name: string, port: number) => {
    const text = `TLS client of the control API refused: no certificate for '${name}' in ${tlsCertsDir}, and no default_${port}.crt for others`;
    causes.info(`tls ${port}`, { serverName: legible(name), port }, legible(text));
  };
  const certificates = new TlsCertificates(tlsCertsDir, fault, missing, policy);
  return (options) => createTlsServer({ options, certificates, requiresClients: true, faults, onSocket: () => {} });
}
