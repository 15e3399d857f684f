/**
 * Owns: taking node's HTTP off a socket on which nothing is to be read or answered for long, and putting it on again.
 * Does not own: when that is done, or the socket meanwhile.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);

const key = Symbol('detached');

interface Tagged {
  [key]?: boolean;
}

type HttpSocket = Socket & { parser?: object | null; _paused?: boolean };

/**
 * Takes the parser, the request, the answer and all listeners of node's off the socket of a request whose head and body
 * have been read: measured, more than half of what an idle connection takes. It is done by node's own hand, as for a
 * change of protocols: node looks after each read whether one was asked for, so it is made to look. False, with nothing
 * changed, where that cannot be done.
 *
 * `answer` must have the socket, and is of no more use: what it was to say must be written by whoever called.
 */
export function detachHttp(message: IncomingMessage, answer: ServerResponse): boolean {
  const socket: HttpSocket | null = answer.socket;
  if (socket === null || !message.complete || socket.destroyed || socket._paused || !socket.parser) return false;
  answer.detachSocket(socket);
  (message as Tagged)[key] = true;
  Object.assign(message, { upgrade: true });
  socket.emit('data', NOTHING);
  if (socket.parser) {
    // Another version of node, which does not look.
    Object.assign(message, { upgrade: false });
    (message as Tagged)[key] = false;
    answer.assignSocket(socket);
    return false;
  }
  return true;
}

/** Whether node tells of a change of protocols only because of `detachHttp`. */
export function isDetached(message: IncomingMessage): boolean {
  return (message as Tagged)[key] === true;
}

/** Puts HTTP on again: `server` takes the socket as a new one, and `early`, if there is any, is read first. */
export function attachHttp(server: Server, socket: Socket, secure: boolean, early: Buffer | undefined): void {
  server.emit(secure ? 'secureConnection' : 'connection', socket);
  if (early !== undefined) socket.emit('data', early);
}
