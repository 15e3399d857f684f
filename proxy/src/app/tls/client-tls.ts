/** What the configuration asks of the clients of TLS listeners. */
import type { Log } from '@holdfast/control-api';
import type { Config } from '../../config/config.js';
import { TlsPolicy } from '../../edge/tls-policy.js';

/**
 * The policy of client listeners. `onRefused` is called for each client that is turned away for its certificate.
 * @throws EdgeError when the file of authorities or the list of ciphers cannot be used
 */
export function clientPolicy(
  { tlsMinVersion, tlsCiphers, tlsClientCa }: Pick<Config, 'tlsMinVersion' | 'tlsCiphers' | 'tlsClientCa'>,
  log: Log,
  onRefused: (client: string, reason: string) => void = () => {},
): TlsPolicy {
  const rules = { minVersion: tlsMinVersion, ciphers: tlsCiphers, clientCa: tlsClientCa };
  return new TlsPolicy(rules, (error) => log.error({ err: error }, error.message), onRefused);
}
