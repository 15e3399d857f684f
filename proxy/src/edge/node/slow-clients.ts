/** The sockets of the node edge whose clients are slow to take their answers. */
import type { Socket } from 'node:net';
import type { Containment } from '@holdfast/control-api';
import type { Clock } from '../../runtime/clock.js';
import { writeProgress } from '../../runtime/node-internals/http-socket.js';
import type { EdgeEvents } from '../port.js';
import { WriteWatch } from '../write-watch.js';
import { addressOf } from './request.js';
import { isBehind } from './settled-answer.js';

/** What the watch is given by its edge. */
interface Around {
  readonly clock: Clock;
  readonly faults: Containment;
  readonly events: EdgeEvents;
}

/**
 * Watches sockets with bytes that the kernel has not taken, and destroys those that it takes nothing of for `timeout` ms. It takes
 * more only once a good part of its own buffer is free again.
 */
export function watchSockets(timeout: number, { clock, faults, events }: Around): WriteWatch<Socket> {
  return new WriteWatch(timeout, {
    clock,
    faults,
    progress: (socket) => {
      const waits = socket.writableLength > 0 || isBehind(socket);
      return socket.destroyed || !waits ? undefined : writeProgress(socket);
    },
    cut: (socket) => {
      events.writeTimedOut(addressOf(socket));
      socket.destroy();
    },
  });
}
