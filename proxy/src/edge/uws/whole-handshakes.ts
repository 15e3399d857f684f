/**
 * How the answer to a handshake can leave in one write. Written outside of a cork, it takes seventeen: one for each part of each
 * field that the library adds.
 */
import { connect, type Socket } from 'node:net';
import type { UwsAnswer, UwsApp, UwsLibrary, UwsToken, UwsWebSocket } from './library.js';

/**
 * Runs something that upgrades an answer, with all that it writes in one cork. Nothing may follow the upgrade within it. For
 * answers of connections without TLS only: the library's functions are others for those with.
 */
export type HandshakeCork = (answer: UwsAnswer, upgrade: () => void) => void;

/**
 * How long the handshake of a trial may take, in ms.
 *
 * @limit {s} for a handshake by which the edge tries out the library when it starts
 * @over handshakes are answered field by field
 */
const TRIAL_MS = 500;

/** The memory that a trial reads may have been written to meanwhile, which would look as if it had been moved. */
const TRIALS = 3;

/** Of RFC 6455 §1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

const HEAD_END = '\r\n\r\n';

/** A handshake; `connection` is the value of its field of that name. */
const request = (connection: string): string =>
  `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: ${connection}\r\n` +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

/**
 * Tries out, on two connections of this process to itself, whether the cork of WebSockets can be used for the answer to a
 * handshake, and resolves with it; with undefined where it cannot. Never rejects.
 *
 * An upgrade shrinks the memory of its connection. Afterwards the cork of an answer (`answer.cork`) looks whether the answer was
 * the last of its connection, in the part that was given back. That of a WebSocket (`socket.cork`) only sends what was
 * written, and can be called for an answer, since both are the same kind of socket beneath. But it must find the connection
 * where it was, so memory must not move when it shrinks: glibc, tcmalloc and mimalloc leave it in its place, jemalloc does not.
 * The first connection shows that: it says `Connection: close`, and is closed by what the library reads in the part that was given
 * back if, and only if, the connection has not moved.
 */
export async function findHandshakeCork(library: UwsLibrary): Promise<HandshakeCork | undefined> {
  const trial = new Trial(library);
  try {
    if (!(await trial.listen())) return undefined;
    let outcome: Outcome = 'open';
    for (let i = 0; i < TRIALS && outcome === 'open'; i++) {
      outcome = await trial.run('close', (answer, upgrade) => void answer.cork(upgrade));
    }
    const { socket } = trial;
    if (outcome !== 'closed' || socket === undefined) return undefined;
    const { cork } = socket;
    // The inner cork finds the outer one. It is there because the library warns of writes outside of an answer's cork.
    const whole: HandshakeCork = (answer, upgrade) => cork.call(answer, () => void answer.cork(upgrade));
    return (await trial.run('Upgrade', whole)) === 'open' ? whole : undefined;
  } catch {
    return undefined;
  } finally {
    trial.close();
  }
}

/** What became of a connection: it was not answered, the upgrade has closed it, or it is open. */
type Outcome = 'unanswered' | 'closed' | 'open';

/** A listener for handshakes of this process. */
class Trial {
  /** The last one that was opened. */
  socket: UwsWebSocket<object> | undefined;
  readonly #library: UwsLibrary;
  readonly #app: UwsApp;
  #isOpen = false;
  #outcome: Outcome = 'unanswered';
  #token: UwsToken = false;
  #cork: HandshakeCork = () => {};

  constructor(library: UwsLibrary) {
    this.#library = library;
    this.#app = library.App();
    const ignore = (): void => {};
    this.#app.ws<object>('/*', {
      compression: library.DISABLED,
      maxPayloadLength: 1,
      maxBackpressure: 0,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      upgrade: (answer, _request, context) => this.#upgrade(answer, context),
      open: (socket) => {
        this.socket = socket;
        this.#isOpen = true;
      },
      message: ignore,
      ping: ignore,
      pong: ignore,
      drain: ignore,
      close: () => {
        this.#isOpen = false;
      },
    });
  }

  async listen(): Promise<boolean> {
    const { LIBUS_LISTEN_EXCLUSIVE_PORT } = this.#library;
    this.#token = await new Promise<UwsToken>((resolve) => {
      this.#app.listen('127.0.0.1', 0, LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
    });
    return this.#token !== false;
  }

  /** Makes one handshake, and closes its connection. */
  async run(connection: string, cork: HandshakeCork): Promise<Outcome> {
    this.#cork = cork;
    this.#outcome = 'unanswered';
    const port = this.#library.us_socket_local_port(this.#token as object);
    const client = connect({ host: '127.0.0.1', port });
    try {
      client.write(request(connection));
      if (!(await headOf(client)).startsWith('HTTP/1.1 101 ')) return 'unanswered';
      return this.#outcome;
    } finally {
      client.destroy();
    }
  }

  close(): void {
    if (this.#token !== false) this.#library.us_listen_socket_close(this.#token);
    this.#app.close();
  }

  /** After the turn of the request, in which the library has corked the connection itself. */
  #upgrade(answer: UwsAnswer, context: unknown): void {
    let isThere = true;
    answer.onAborted(() => {
      isThere = false;
    });
    setImmediate(() => {
      if (!isThere) return;
      try {
        this.#cork(answer, () => answer.upgrade({}, KEY, '', '', context));
        // Within this turn, in which no other connection can have been closed.
        this.#outcome = this.#isOpen ? 'open' : 'closed';
      } catch {
        // A library whose functions do not take each other's objects: its answer goes with the listener.
      }
    });
  }
}

/** The head that comes on a connection, or what has come of it. */
function headOf(client: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = (): void => resolve(text);
    client.setTimeout(TRIAL_MS, done);
    client.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (text.endsWith(HEAD_END)) done();
    });
    client.once('error', done);
    client.once('close', done);
  });
}
