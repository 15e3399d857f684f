/** The PULL socket: items from publishers that push them (`push_in_spec`, 5560). */
import { ControlError } from '../errors.js';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import type { ItemIntake } from './intake.js';
import { HIGH_WATER_MARK, type Library, MAX_PART_BYTES, type Pull } from './library.js';
import type { SocketSecurity } from './security.js';
import { bindSocket, readMessages } from './socket.js';

/** One item a message: `J` and JSON, or a tnetstring with or without `T`; no answer. */
export class PullSocket {
  readonly #socket: Pull;
  readonly #intake: ItemIntake;
  readonly #log: Log;
  readonly #faults: Containment;

  constructor(
    library: Library,
    intake: ItemIntake,
    log: Log,
    faults: Containment = uncontained,
    security: SocketSecurity = {},
  ) {
    this.#faults = faults;
    // Over the mark publishers block: nothing is lost while this process lives.
    this.#socket = new library.Pull({
      ...security,
      receiveHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_PART_BYTES,
      linger: 0,
    });
    this.#intake = intake;
    this.#log = log;
  }

  /** Binds, and begins to read; resolves and rejects as `bindSocket` does. */
  async open(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    void readMessages(this.#socket, (parts) => this.#take(parts), this.#log, this.#faults);
    return uri;
  }

  /** Stops reading at once; messages that ZeroMQ has received and nobody has read are lost. */
  close(): void {
    this.#socket.close();
  }

  #take(parts: readonly Buffer[]): Promise<void> | undefined {
    const [packet] = parts;
    if (packet !== undefined && parts.length === 1) return this.#intake.take(packet);
    this.#intake.drop(new ControlError('ERR_ZMQ_MESSAGE', `an item is one part, not ${parts.length}`));
    return undefined;
  }
}
