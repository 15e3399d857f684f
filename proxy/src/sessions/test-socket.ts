/**
 * Owns: the built-in `test` target for WebSockets: `/ws` echoes, and is subscribed like any origin would subscribe it.
 * Does not own: the test target for requests (`origin/test-origin`).
 */
import { formatWsControl } from '@holdfast/grip';
import { OTHER_CHANNEL, testChannels } from '../origin/test-channels.js';
import type { TestTarget } from '../routes/target.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from './origin-socket.js';

const PREFIX = Buffer.from('m:');

/** An origin inside the process. Everything is sent through GRIP's own messages: what a client sends is never control. */
export class TestSocket implements OriginSocket {
  #owner: OriginSocketOwner | undefined;
  #over = false;

  /** `path` is the request's path and query without the prefix by which its route matched. */
  constructor(path: string, target: TestTarget, handshake: OriginHandshakeOwner) {
    queueMicrotask(() =>
      this.#open(new URL(path.startsWith('/') ? path : `/${path}`, 'http://test'), target, handshake),
    );
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

  #open(url: URL, target: TestTarget, handshake: OriginHandshakeOwner): void {
    if (this.#over) return;
    const channels = testChannels(url.searchParams, target);
    if (url.pathname !== '/ws') this.#refuse(404, 'Not Found', 'no such test resource\n', handshake);
    else if (channels === undefined) this.#refuse(403, 'Forbidden', OTHER_CHANNEL, handshake);
    else this.#accept(channels, handshake);
  }

  #refuse(status: number, reason: string, text: string, handshake: OriginHandshakeOwner): void {
    this.#over = true;
    handshake.originRejected({ status, reason, headers: ['Content-Type', 'text/plain'] }, Buffer.from(text));
  }

  #accept(channels: readonly string[], handshake: OriginHandshakeOwner): void {
    handshake.originAccepted(['Sec-WebSocket-Extensions', 'grip']);
    for (const channel of channels) {
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
