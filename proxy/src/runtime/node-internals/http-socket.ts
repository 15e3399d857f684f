/** What is done to the sockets of node:http by names that node does not document; `fast-paths` probes all of it. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);

const key = Symbol('detached');

interface Tagged {
  [key]?: boolean;
}

/** `_paused` is node's switch for clients that do not read; the parser is null while nothing is parsed. */
type HttpSocket = Socket & { _paused?: boolean; parser?: { resume?(): void } | null };

/**
 * Takes the parser, the request, the answer and all listeners of node's off the socket of a request whose head and body
 * have been read: measured, more than half of what an idle connection takes. Node does it itself, as for a change of
 * protocols: after each read it checks whether one was asked for, so this asks for one and fakes a read. False, with nothing
 * changed, where that cannot be done.
 *
 * `answer` must have the socket, and is of no more use: the caller writes what is still to be answered.
 */
export function detachHttp(message: IncomingMessage, answer: ServerResponse): boolean {
  const socket: HttpSocket | null = answer.socket;
  if (socket === null || !message.complete || socket.destroyed || socket._paused || !socket.parser) return false;
  answer.detachSocket(socket);
  (message as Tagged)[key] = true;
  Object.assign(message, { upgrade: true });
  socket.emit('data', NOTHING);
  if (socket.parser) {
    // This version of node does not check.
    Object.assign(message, { upgrade: false });
    (message as Tagged)[key] = false;
    answer.assignSocket(socket);
    return false;
  }
  return true;
}

/** Whether node reports a change of protocols only because of `detachHttp`. */
export function isDetached(message: IncomingMessage): boolean {
  return (message as Tagged)[key] === true;
}

/** Puts HTTP on again: `server` takes the socket as a new one, and `early`, if there is any, is read first. */
export function attachHttp(server: Server, socket: Socket, secure: boolean, early: Buffer | undefined): void {
  server.emit(secure ? 'secureConnection' : 'connection', socket);
  if (early !== undefined) socket.emit('data', early);
}

/**
 * Stops and starts reading requests, by the switch that node itself uses for clients that do not read. Where a change of
 * protocols waits for its turn nothing is parsed: what arrives stays with the socket for its next owner.
 *
 * The socket is paused once the packet is parsed: node stops its handle as long as it has a parser, and does not start it
 * again for the next owner, if there was a change of protocols in the rest of the packet.
 */
export function holdReading(of: Socket, paused: boolean): void {
  const socket: HttpSocket = of;
  socket._paused = paused;
  if (paused) queueMicrotask(() => socket._paused && socket.pause());
  else if (socket.parser) {
    socket.parser.resume?.();
    socket.resume();
  }
}

/** Whether reading is stopped, by `holdReading` or by node. */
export function isReadingHeld(socket: Socket): boolean {
  return (socket as HttpSocket)._paused === true;
}

/** Whether this version of node has the switch; asked of a socket that a server has taken. */
export function canHoldReading(socket: Socket): boolean {
  const { _paused, parser } = socket as HttpSocket;
  return _paused === false && typeof parser?.resume === 'function';
}

/** Changes whenever something is written, or taken by the client: of a write that is begun node counts all bytes. */
export function writeProgress(socket: Socket): string {
  const { _handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return `${socket.bytesWritten}/${socket.writableLength}/${_handle?.writeQueueSize}`;
}

interface Sender {
  _send?: (data: string, encoding: 'latin1') => void;
}

/**
 * Sends the head of an answer that has no body. Node's flushHeaders writes it as UTF-8, which would change bytes above 0x7f, and
 * its `write` writes nothing where there is no body; both of them call this.
 */
export function flushBodiless(response: ServerResponse): void {
  const { _send } = response as unknown as Sender;
  if (_send === undefined) response.flushHeaders();
  else _send.call(response, '', 'latin1');
}

/** Whether this version of node can send such a head as Latin-1. */
export function canFlushBodiless(prototype: object): boolean {
  return typeof (prototype as Sender)._send === 'function';
}
