/** An owner of origin sockets that records what it is called with, and fails when it is called from within a call of its own. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../../dist/errors.js';
import {
  isRefreshable,
  type OriginHandshakeOwner,
  type OriginSocket,
  type OriginSocketOwner,
} from '../../dist/sessions/origin-socket.js';
import type { MessageType } from '../../dist/websocket/message-socket.js';
import { until } from '../kit/until.js';

/** One message or control frame. */
export interface Message {
  readonly type: MessageType;
  readonly data: Buffer;
}

/** `ends` has what comes once or never: the acceptance and the end. */
export class OriginRecorder implements OriginHandshakeOwner, OriginSocketOwner {
  readonly messages: Message[] = [];
  /** In order: `accepted`, `rejected 403`, `failed CODE`, `closed 4001 reason`, `lost CODE`. */
  readonly ends: string[] = [];
  headers: RawHeaders | undefined;
  rejection: { head: ResponseHead; body: Buffer } | undefined;
  error: OriginError | undefined;
  writable = 0;
  /** Called with each message: for owners that react. */
  react: ((message: Message) => void) | undefined;
  #inCall = false;
  #socket: OriginSocket | undefined;

  originAccepted(headers: RawHeaders): void {
    this.headers = headers;
    this.#note('accepted');
    this.#socket?.setOwner(this);
  }

  originRejected(head: ResponseHead, body: Buffer): void {
    this.rejection = { head, body };
    this.#note(`rejected ${head.status}`);
  }

  originFailed(error: OriginError): void {
    this.error = error;
    this.#note(`failed ${error.code}`);
  }

  originMessage(type: MessageType, data: Buffer): void {
    this.#refuseNested(type);
    const message = { type, data };
    this.messages.push(message);
    this.react?.(message);
  }

  originClosed(code: number | undefined, reason: Buffer): void {
    this.#note(`closed ${code ?? '-'} ${reason}`.trimEnd());
    // An origin that has closed by itself waits for an answer.
    queueMicrotask(() => this.#socket?.close(code, reason));
  }

  originLost(error: OriginError): void {
    this.error = error;
    this.#note(`lost ${error.code}`);
  }

  originWritable(): void {
    this.#refuseNested('writable');
    this.writable++;
  }

  /** The socket, watched: calls of the owner from within its methods throw. It is owned once it is accepted. */
  watch<S extends OriginSocket>(socket: S): OriginSocket & { refresh(): void } {
    this.#socket = socket;
    const within = <R>(call: () => R): R => {
      this.#inCall = true;
      try {
        return call();
      } finally {
        this.#inCall = false;
      }
    };
    return {
      setOwner: (owner) => within(() => socket.setOwner(owner)),
      send: (type, data) => within(() => socket.send(type, data)),
      close: (code, reason) => within(() => socket.close(code, reason)),
      abort: () => within(() => socket.abort()),
      pause: () => within(() => socket.pause()),
      resume: () => within(() => socket.resume()),
      refresh: () => within(() => isRefreshable(socket) && socket.refresh()),
    };
  }

  /** Messages as text: `text hello`, `ping x`. */
  get texts(): string[] {
    return this.messages.map(({ type, data }) => `${type} ${data}`);
  }

  /** Waits for so many messages. */
  async got(count: number): Promise<readonly Message[]> {
    await until(
      `${count} messages`,
      () => this.messages.length >= count,
      () => `saw ${this.messages.length}, ${this.ends.join(', ')}`,
    );
    return this.messages;
  }

  /** Waits for an acceptance, rejection, failure or end that begins so, and gives all of it. */
  async saw(beginning: string): Promise<string> {
    const found = () => this.ends.find((end) => end.startsWith(beginning));
    return until(beginning, found, () => `saw ${this.ends.join(', ')}; ${this.error?.message ?? ''}`);
  }

  #note(end: string): void {
    this.#refuseNested(end);
    this.ends.push(end);
  }

  #refuseNested(what: string): void {
    if (this.#inCall) throw new Error(`${what} from within a call to the socket`);
  }
}
