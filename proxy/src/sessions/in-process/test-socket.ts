/** The built-in `test` target for WebSockets: `/ws` echoes, and is subscribed like any origin would subscribe it. */
import { type Containment, uncontained } from '@holdfast/control-api';
import { parametersOf, pathnameOf } from '../../http/request-path.js';
import { plainAnswer } from '../../origin/in-process.js';
import { OTHER_CHANNEL, testChannels } from '../../origin/test-target.js';
import type { TestTarget } from '../../routes/target.js';
import type { OriginHandshakeOwner } from '../origin-socket.js';
import { InProcessSocket } from './in-process-socket.js';

const PREFIX = Buffer.from('m:');

/** Echoes. */
export class TestSocket extends InProcessSocket {
  readonly #path: string;
  readonly #target: TestTarget;

  /** `path` is the request's path and query behind the prefix by which its route matched. */
  constructor(path: string, target: TestTarget, handshake: OriginHandshakeOwner, faults: Containment = uncontained) {
    super(handshake, faults);
    this.#path = path;
    this.#target = target;
  }

  protected open(): void {
    const channels = testChannels(parametersOf(this.#path), this.#target);
    if (pathnameOf(this.#path) !== '/ws') this.refuse(plainAnswer(404, 'Not Found', 'no such test resource\n'));
    else if (channels === undefined) this.refuse(plainAnswer(403, 'Forbidden', OTHER_CHANNEL));
    else {
      this.accept();
      for (const channel of channels) this.control({ type: 'subscribe', channel, filters: [] });
    }
  }

  protected answer(type: 'text' | 'binary', data: Buffer): undefined {
    this.say(type, Buffer.concat([PREFIX, data]));
    return undefined;
  }
}
