/** Clients that an edge turns away by itself: counted each, and logged once in a while, so that clients cannot fill the log. */
import { CauseLog, type Log } from '@holdfast/control-api';
import type { EdgeEvents } from '../edge/port.js';
import type { Clock } from '../runtime/clock.js';
import type { Descriptors } from '../runtime/descriptors.js';
import { legible } from '../runtime/legible.js';

/** One line about a shortage of file descriptors in so many ms, however many connections there were. */
export const REPORT_MS = 60_000;

/** Statuses for which a limit is to blame, and the option that sets it. */
const OPTIONS: Readonly<Record<number, string>> = {
  408: 'client_header_timeout',
  431: 'client_buffer_size',
};

/** What an {@link EdgeReports} is made of. */
export interface EdgeReportsDeps {
  readonly metrics: EdgeEvents;
  readonly descriptors: Pick<Descriptors, 'limit' | 'reserve'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly clientMaxconn: number;
}

/** Counts and logs. */
export class EdgeReports implements EdgeEvents {
  readonly #deps: EdgeReportsDeps;
  readonly #causes: CauseLog;
  /** Connections that were closed since the last line about a shortage. */
  #closed = 0;
  #isQuiet = false;

  constructor(deps: EdgeReportsDeps) {
    this.#deps = deps;
    this.#causes = new CauseLog(deps.log, deps.clock);
  }

  connectionOpened(): void {
    this.#deps.metrics.connectionOpened?.();
  }

  connectionClosed(): void {
    this.#deps.metrics.connectionClosed?.();
  }

  connectionRefused(): void {
    const { metrics, clientMaxconn } = this.#deps;
    metrics.connectionRefused();
    const text = `client_maxconn (${clientMaxconn}) reached: connection closed`;
    this.#causes.warn('client_maxconn', {}, text);
  }

  /** The first connection is logged at once, those after it together. */
  descriptorsShort(): void {
    this.#deps.metrics.descriptorsShort();
    this.#closed++;
    if (!this.#isQuiet) this.#reportShortage();
  }

  /** One line a second for each status. */
  requestRefused(reason: string, status: number, client: string): void {
    this.#deps.metrics.requestRefused(reason, status, client);
    const option = OPTIONS[status];
    const limit = option === undefined ? '' : ` (${option} is the limit)`;
    const text = legible(`request of ${client || 'a client'} refused with ${status}: ${reason}${limit}`);
    // A limit can be raised, a malformed request cannot be mended here.
    const level = status === 431 ? 'warn' : 'info';
    this.#causes[level](`${status}`, { status, reason: legible(reason), client }, text);
  }

  /** A connection to a listener of load balancers was closed, since it did not say in the PROXY protocol who its client is. */
  proxyRefused(why: string, peer: string): void {
    this.#deps.metrics.proxyRefused(why, peer);
    const text = `connection of ${peer || 'a unix socket'} closed: ${why}`;
    this.#causes.warn(`proxy ${why}`, { peer }, legible(text));
  }

  writeTimedOut(client: string): void {
    this.#deps.metrics.writeTimedOut(client);
    const text = `connection of ${client || 'a client'} cut: it took nothing of its answer for write_timeout`;
    this.#causes.info('write_timeout', { client }, legible(text));
  }

  /** A TLS handshake failed, as there is no certificate for the name that the client gave. */
  unnamed(serverName: string, port: number, directory: string): void {
    const text = `TLS client refused: no certificate for '${serverName}' in ${directory}, and no default_${port}.crt for others`;
    this.#causes.info(`tls ${port}`, { serverName: legible(serverName), port }, legible(text));
  }

  /** A client showed a certificate that does not count. */
  uncertified(client: string, reason: string): void {
    const text = `TLS client refused: its certificate does not count (${reason})`;
    this.#causes.info(`client certificate ${reason}`, { client, reason }, text);
  }

  #reportShortage(): void {
    const { descriptors, log, clock } = this.#deps;
    const { limit, reserve } = descriptors;
    const text =
      `file descriptors run out: the process may have ${limit}, and the last ${reserve} are kept for origins, publishers and ` +
      `files. ${this.#closed} client connections closed. Raise LimitNOFILE or ulimit -n, or lower client_maxconn`;
    log.warn({ limit, closed: this.#closed }, text);
    this.#closed = 0;
    this.#isQuiet = true;
    clock.after(REPORT_MS, () => {
      this.#isQuiet = false;
      if (this.#closed > 0) this.#reportShortage();
    });
  }
}
