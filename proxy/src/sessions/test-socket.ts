/**
 * Owns: the built-in `test` target for WebSockets: `/ws` echoes, and is subscribed like any origin would subscribe it.
 * Does not own: the test target for requests (`origin/test-origin`).
 */
import { formatWsControl } from '@holdfast/grip';
import { Fifo } from '../fifo.js';
import { parametersOf, pathnameOf } from '../request-path.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from './origin-socket.js';

const PREFIX = Buffer.from('m:');

/** From so many messages on that are not answered yet, `send` asks to be held back. */
const WAITING_HIGH = 64;

/** An origin inside the process. Everything is sent through GRIP's own messages: what a client sends is never control. */
export class TestSocket implements OriginSocket {
  #owner: OriginSocketOwner | undefined;
  /** What was sent and is not answered yet. */
  readonly #waiting = new Fifo<[MessageType, Buffer]>();
  #scheduled = false;
  #paused = false;
  #starved = false;
  #over = false;

  /** `path` is the request's path and query behind the prefix by which its route matched. */
  constructor(path: string, handshake: OriginHandshakeOwner) {
    queueMicrotask(() => this.#open(path, handshake));
  }

  own(owner: OriginSocketOwner): void {
    this.#owner = owner;
  }

  send(type: MessageType, data: Buffer): boolean {
    if (type === 'pong' || this.#over) return true;
    this.#waiting.push([type, data]);
    this.#schedule();
    if (!this.#paused && this.#waiting.length < WAITING_HIGH) return true;
    this.#starved = true;
    return false;
  }

  close(): void {
    this.abort();
  }

  abort(): void {
    this.#over = true;
    this.#waiting.clear();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  #open(path: string, handshake: OriginHandshakeOwner): void {
    if (this.#over) return;
    if (pathnameOf(path) !== '/ws') {
      this.#over = true;
      const head = { status: 404, reason: 'Not Found', headers: ['Content-Type', 'text/plain'] };
      handshake.originRejected(head, Buffer.from('no such test resource\n'));
      return;
    }
    handshake.originAccepted(['Sec-WebSocket-Extensions', 'grip']);
    const channels = parametersOf(path).getAll('channel');
    for (const channel of channels.length === 0 ? ['test'] : channels) {
      const control = formatWsControl({ type: 'subscribe', channel, filters: [] });
      this.#owner?.originMessage('text', Buffer.from(`c:${control}`));
    }
  }

  /** An owner is not called from within its own call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#answer();
    });
  }

  #answer(): void {
    while (!this.#paused && !this.#over) {
      const [type, data] = this.#waiting.shift() ?? [];
      if (type === undefined || data === undefined) break;
      if (type === 'ping') this.#owner?.originMessage('pong', data);
      else this.#owner?.originMessage(type, Buffer.concat([PREFIX, data]));
    }
    if (!this.#starved || this.#paused || this.#over) return;
    this.#starved = false;
    this.#owner?.originWritable();
  }
}
