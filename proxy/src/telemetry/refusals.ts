/** The log lines about clients that an edge turns away by itself. */
import { CauseLog, type Log } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';
import { legible } from '../runtime/legible.js';

/** Statuses for which a limit is to blame, and the option that sets it. */
const OPTIONS: Readonly<Record<number, string>> = {
  408: 'client_header_timeout',
  431: 'client_buffer_size',
};

/** Logs a cause once a second, so that clients cannot fill the log. */
export class Refusals {
  readonly #causes: CauseLog;

  constructor(log: Log, clock: Clock) {
    this.#causes = new CauseLog(log, clock);
  }

  /** A request was answered with this status, as it was malformed. `reason` is the parser's code or the text sent. */
  refused(reason: string, status: number, client: string): void {
    const option = OPTIONS[status];
    const limit = option === undefined ? '' : ` (${option} is the limit)`;
    const text = legible(`request of ${client || 'a client'} refused with ${status}: ${reason}${limit}`);
    // A limit can be raised, a malformed request cannot be mended here.
    const level = status === 431 ? 'warn' : 'info';
    this.#causes[level](`${status}`, { status, reason: legible(reason), client }, text);
  }

  /** A handshake of TLS came to nothing, as there is no certificate for the name that the client gave. */
  unnamed(serverName: string, port: number, directory: string): void {
    const text = `TLS client refused: no certificate for '${serverName}' in ${directory}, and no default_${port}.crt for others`;
    this.#causes.info(`tls ${port}`, { serverName: legible(serverName), port }, legible(text));
  }
}
