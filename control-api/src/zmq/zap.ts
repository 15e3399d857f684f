/** Says who may connect to the sockets of a node: the handler of ZAP (RFC 27 of ZeroMQ), which the library asks. */
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import { encodeCurveKey } from './curve.js';
import { type Context, type Library, type Router, readMessages } from './library.js';

/** Where the library looks for it, in the context of the socket that somebody connects to. */
const ADDRESS = 'inproc://zeromq.zap.01';
const VERSION = '1.0';
const KEY_BYTES = 32;

/** Lets in those with a known public key; that they have the secret one to it, the library has seen. */
export class ZapHandler {
  readonly #socket: Router;
  readonly #clients: (publicKey: string) => string | undefined;
  readonly #log: Log;
  readonly #faults: Containment;

  constructor(
    library: Library,
    context: Context,
    clients: (publicKey: string) => string | undefined,
    log: Log,
    faults: Containment,
  ) {
    this.#socket = new library.Router({ context, linger: 0 });
    this.#clients = clients;
    this.#log = log;
    this.#faults = faults;
  }

  async open(): Promise<void> {
    await this.#socket.bind(ADDRESS);
    void readMessages<Buffer[]>(this.#socket, (parts) => this.#answer(parts), this.#log, this.#faults);
  }

  /** Nobody is let in from here on. */
  close(): void {
    this.#socket.close();
  }

  /** What is not understood, and what fails, is refused. */
  async #answer(parts: readonly Buffer[]): Promise<void> {
    const empty = parts.findIndex((part) => part.length === 0);
    const [version, id, , address, , mechanism, key] = parts.slice(empty + 1);
    if (empty < 1 || id === undefined) return;
    const client = this.#clientOf(String(version), String(mechanism), key, String(address));
    const [status, text] = client === undefined ? ['400', 'not allowed'] : ['200', 'OK'];
    const envelope = parts.slice(0, empty + 1);
    await this.#socket.send([...envelope, VERSION, id, status, text, client ?? '', '']);
  }

  #clientOf(version: string, mechanism: string, key: Buffer | undefined, address: string): string | undefined {
    if (version !== VERSION || mechanism !== 'CURVE' || key?.length !== KEY_BYTES) return undefined;
    const publicKey = encodeCurveKey(key);
    let client: string | undefined;
    try {
      client = this.#clients(publicKey);
    } catch (error) {
      this.#faults.caught('zeromq', error);
    }
    if (client === undefined) this.#log.warn({ client: address, publicKey }, 'ZeroMQ client refused: unknown key');
    else this.#log.info({ client: address, key: client }, 'ZeroMQ client connected');
    return client;
  }
}
