/** The clients that may connect to ZeroMQ sockets with CURVE: those of options, and those of a file that is read again. */
import { statSync } from 'node:fs';
import { isCurveKey } from '@holdfast/control-api';
import { ConfigError } from '../../errors.js';
import { CONFIG_FILE_MAX, readWhole, whyUnread } from './read-file.js';

/** Characters of a name that are kept. */
const MAX_NAME = 100;

const CONTROL = /\p{Cc}/u;

/**
 * Reads a file of public keys: a key on each line, then, after white space, a name. Lines that are empty or begin with `#`, as
 * no key can, are left out. Throws an Error that names the line, but not what is on it: it may be a secret key.
 */
export function readCurveClients(text: string): ReadonlyMap<string, string> {
  const clients = new Map<string, string>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const [, key = '', name = ''] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(line) ?? [];
    if (key === '' || key.startsWith('#')) continue;
    if (!isCurveKey(key) || CONTROL.test(name)) throw new Error(`line ${at + 1} is not a key, or a key and a name`);
    clients.set(key, name === '' ? key : name.slice(0, MAX_NAME));
  }
  return clients;
}

/** Names by public key. */
export class CurveClients {
  readonly #keys: ReadonlySet<string>;
  readonly #file: string | undefined;
  readonly #onFault: (error: Error) => void;
  #stamp = '';
  #named: ReadonlyMap<string, string> = new Map();

  /**
   * `onFault` is called once for each change of the file that cannot be used; the keys read before go on.
   * @throws ConfigError when the file cannot be used
   */
  constructor(keys: readonly string[], file: string | undefined, onFault: (error: Error) => void) {
    this.#keys = new Set(keys);
    this.#file = file;
    this.#onFault = onFault;
    if (file === undefined) return;
    this.#stamp = stampOf(file);
    this.#named = read(file);
  }

  /** To be asked for each connection: costs a look at the file. */
  readonly nameOf = (publicKey: string): string | undefined => {
    this.#refresh();
    return this.#named.get(publicKey) ?? (this.#keys.has(publicKey) ? publicKey : undefined);
  };

  #refresh(): void {
    if (this.#file === undefined) return;
    const stamp = stampOf(this.#file);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#named = read(this.#file);
    } catch (error) {
      this.#onFault(error as Error);
    }
  }
}

function read(file: string): ReadonlyMap<string, string> {
  try {
    return readCurveClients(readWhole(file, CONFIG_FILE_MAX).toString('utf8'));
  } catch (cause) {
    const message = `zmq_curve_client_keys_file: ${file}: ${whyUnread(cause)}`;
    throw new ConfigError([{ code: 'ERR_CONFIG_FILE', message }], { cause });
  }
}

function stampOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
