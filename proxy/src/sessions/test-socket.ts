/**
 * Owns: the built-in `test` target for WebSockets: `/ws` echoes, and is subscribed like any origin would subscribe it.
 * Does not own: the test target for requests (`origin/test-origin`).
 */
import { formatWsControl } from '@holdfast/grip';
import { parametersOf, pathnameOf } from '../request-path.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from './origin-socket.js';

const PREFIX = Buffer.from('m:');

/** An origin inside the process. Everything is sent through GRIP's own messages: what a client sends is never control. */
export class TestSocket implements OriginSocket {
  #owner: OriginSocketOwner | undefined;
  #over = false;

  /** `path` is the request's path and query behind the prefix by which its route matched. */
  constructor(path: string, handshake: OriginHandshakeOwner) {
    queueMicrotask(() => this.#open(path, handshake));
  }

  own(owner: OriginSocketOwner): void {
    this.#owner = owner;
  }

  send(type: MessageType, data: Buffer): boolean {
    if (type === 'ping') this.#later(() => this.#owner?.originMessage('pong', data));
    else if (type !== 'pong') this.#later(() => this.#owner?.originMessage(type, Buffer.concat([PREFIX, data])));
    return true;
  }

  close(): void {
    this.#over = true;
  }

  abort(): void {
    this.#over = true;
  }

  pause(): void {}

  resume(): void {}

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

  #later(call: () => void): void {
    queueMicrotask(() => {
      if (!this.#over) call();
    });
  }
}
