/** The built-in `test` target for WebSockets: `/ws` echoes, and is subscribed like any origin would subscribe it. */

import { type Containment, uncontained } from '@holdfast/control-api';
import { formatWsControl } from '@holdfast/grip';
import { faultError } from '../errors.js';
import { parametersOf, pathnameOf } from '../http/request-path.js';
import { OTHER_CHANNEL, testChannels } from '../origin/test-target.js';
import type { TestTarget } from '../routes/target.js';
import { Fifo } from '../runtime/fifo.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from './origin-socket.js';

const PREFIX = Buffer.from('m:');

/**
 * From so many messages on that are not answered yet, `send` asks to be held back.
 *
 * @limit {} messages to the `test` target that are not echoed yet
 * @over the client is not read
 */
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

  #closing: { readonly code: number | undefined; readonly reason: Buffer } | undefined;
  readonly #faults: Containment;

  /** `path` is the request's path and query behind the prefix by which its route matched. */
  constructor(path: string, target: TestTarget, handshake: OriginHandshakeOwner, faults: Containment = uncontained) {
    this.#faults = faults;
    const failed = (error: unknown) => handshake.originFailed(faultError(error));
    queueMicrotask(() => faults.run('origin', () => this.#open(path, target, handshake), { fault: failed }));
  }

  setOwner(owner: OriginSocketOwner): void {
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

  /** Answered with the same, after what was sent before. */
  close(code: number | undefined, reason: Buffer): void {
    if (this.#over) return;
    this.#closing = { code, reason };
    this.#schedule();
  }

  abort(): void {
    this.#over = true;
    this.#waiting.clear();
  }

  /** After a fault of ours: the session loses its origin. */
  fault(error: unknown): void {
    this.abort();
    this.#owner?.originLost(faultError(error));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  #open(path: string, target: TestTarget, handshake: OriginHandshakeOwner): void {
    if (this.#over) return;
    const channels = testChannels(parametersOf(path), target);
    if (pathnameOf(path) !== '/ws') this.#refuse(404, 'Not Found', 'no such test resource\n', handshake);
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

  /** An owner is not called from within its own call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#faults.run('origin', () => this.#answer(), this);
    });
  }

  #answer(): void {
    while (!this.#paused && !this.#over) {
      const [type, data] = this.#waiting.shift() ?? [];
      if (type === undefined || data === undefined) break;
      if (type === 'ping') this.#owner?.originMessage('pong', data);
      else this.#owner?.originMessage(type, Buffer.concat([PREFIX, data]));
    }
    if (this.#closing !== undefined && !this.#paused && !this.#over) {
      this.#over = true;
      this.#owner?.originClosed(this.#closing.code, this.#closing.reason);
    }
    if (!this.#starved || this.#paused || this.#over) return;
    this.#starved = false;
    this.#owner?.originWritable();
  }
}
