/** The file with the secret from which the keys of session tickets are made: reading it, and once more when it changes. */
import { randomBytes } from 'node:crypto';
import type { Containment, Log } from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { readWhole, SECRET_FILE_MAX, whyUnread } from '../config/files/read-file.js';
import { EdgeError } from '../errors.js';
import { realClock } from '../runtime/clock.js';
import { legible } from '../runtime/legible.js';
import { TicketKeys } from './ticket-keys.js';

/** Fewest bytes of a secret: 256 bits, if they are random. */
export const SECRET_MIN = 32;

/** The collaborators. */
export interface TicketKeyFileOptions {
  readonly config: Pick<Config, 'tlsTicketKeyFile'>;
  readonly log: Log;
  readonly faults: Containment;
  /** Calls `onChange` when the file may have changed, until the result is called. */
  readonly watch: (file: string, onChange: () => void) => () => void;
  /** Where no file is configured: what all processes of the node have; left out: one for this process alone. */
  readonly ticketSecret?: Buffer | undefined;
}

/**
 * The secret: all of the file but the end of its last line.
 * @throws EdgeError ERR_EDGE_CERTIFICATE that says what is wrong
 */
export function readTicketSecret(file: string): Buffer {
  try {
    const bytes = readWhole(file, SECRET_FILE_MAX);
    let end = bytes.length;
    while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
    if (end < SECRET_MIN)
      throw new RangeError(`it has ${end} bytes, and a secret needs ${SECRET_MIN} at least (openssl rand -base64 48)`);
    return bytes.subarray(0, end);
  } catch (cause) {
    throw new EdgeError('ERR_EDGE_CERTIFICATE', `cannot use tls_ticket_key_file ${file}: ${whyUnread(cause)}`, {
      cause,
    });
  }
}

/** Has the keys of this process, from the file or without one. */
export class TicketKeyFile {
  readonly keys: TicketKeys;
  readonly #file: string | undefined;
  readonly #log: Log;
  readonly #stopWatching: () => void;

  /** @throws EdgeError ERR_EDGE_CERTIFICATE when the file cannot be used */
  constructor({ config, log, faults, watch, ticketSecret }: TicketKeyFileOptions) {
    const file = config.tlsTicketKeyFile;
    this.#file = file;
    this.#log = log;
    const secret = file === undefined ? (ticketSecret ?? randomBytes(SECRET_MIN)) : readTicketSecret(file);
    this.keys = new TicketKeys(secret, { now: () => realClock.monotonic() });
    this.#stopWatching = file === undefined ? () => {} : watch(file, () => faults.run('watch', () => this.reload()));
  }

  /** Reads the file again. One that cannot be used changes nothing. */
  reload(): void {
    if (this.#file === undefined) return;
    try {
      if (this.keys.replace(readTicketSecret(this.#file)))
        this.#log.info({}, 'key of session tickets replaced; tickets of the one before count for two more hours');
    } catch (error) {
      this.#log.error({ err: error as Error }, legible(`${(error as Error).message}; keeping the key in force`));
    }
  }

  close(): void {
    this.#stopWatching();
  }
}
