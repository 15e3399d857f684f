/**
 * Owns: which new connections a listener of the node edge closes at once. Does not own: connections that are in.
 * A connection that node's HTTP takes once more, as after a hold, is not a new one.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Descriptors } from '../../runtime/descriptors.js';
import type { EdgeEvents } from '../port.js';
import { NodeConnection } from './connection.js';

/**
 * Closes connections beyond `max`, and counts them as refused. By hand: with a limit in node itself, it would hand a
 * connection from one full process to the next for ever. To be called before the edge makes its connections.
 */
export function limitConnections(server: Server, max: number, events: EdgeEvents): void {
  let open = 0;
  server.prependListener('connection', (socket: Socket) => {
    if (NodeConnection.of(socket) !== undefined) return;
    open++;
    socket.once('close', () => open--);
    if (open <= max) return;
    socket.destroy();
    events.connectionRefused();
  });
}

/** Turns new connections away where the file descriptors that are left are kept for other things. */
export function keepReserve(server: Server, descriptors: Descriptors, events: EdgeEvents): void {
  server.prependListener('connection', (socket: Socket) => {
    if (socket.destroyed || NodeConnection.of(socket) !== undefined || descriptors.admits('client')) return;
    socket.destroy();
    events.descriptorsShort();
  });
}
