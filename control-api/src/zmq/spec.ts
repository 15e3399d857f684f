/** Reads the address of a ZeroMQ socket as it is configured. */
import { ControlError } from '../errors.js';

/** `tcp://host:port`, where host may be `*` or `[::1]` and port 0 or `*`; or `ipc://path`. */
export interface Spec {
  /** As written. */
  readonly text: string;
  /** Of an ipc socket; undefined also for one in Linux's abstract name space (`ipc://@name`), which is no file. */
  readonly file: string | undefined;
  /** The library opens numeric IPv6 addresses only with an option. */
  readonly ipv6: boolean;
  /** Whether the system chooses the port. */
  readonly anyPort: boolean;
}

const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/[\]]+):(\*|\d{1,5})$/;
const ipc = /^ipc:\/\/([^\s].*)$/;
const MAX_PORT = 65_535;

/** Reads a spec. Throws `ControlError` ERR_ZMQ_SPEC that names it. */
export function parseSpec(text: string): Spec {
  const [, path] = ipc.exec(text) ?? [];
  if (path !== undefined) return { text, file: path.startsWith('@') ? undefined : path, ipv6: false, anyPort: false };
  const [, host, port] = tcp.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > MAX_PORT) {
    throw new ControlError(
      'ERR_ZMQ_SPEC',
      `${JSON.stringify(text)} is not the spec of a ZeroMQ socket: expected tcp://host:port or ipc://path.`,
    );
  }
  return { text, file: undefined, ipv6: host.startsWith('['), anyPort: port === '*' || Number(port) === 0 };
}
