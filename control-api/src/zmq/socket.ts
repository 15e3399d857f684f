/** Opening and reading sockets. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ControlError } from '../errors.js';
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import type { Socket } from './library.js';
import { parseSpec, type Spec } from './spec.js';

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process already listens there',
  EACCES: 'this process has no permission to listen there',
  EADDRNOTAVAIL: 'the host is not an address of this machine',
  ENODEV: 'the host is neither a numeric address nor an interface of this machine',
  ENAMETOOLONG: 'the path is too long for a socket',
  EINVAL: 'the address is not valid',
};

function openError(verb: string, spec: Spec, cause: unknown): ControlError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = reasons[code ?? ''] ?? message;
  return new ControlError('ERR_ZMQ_OPEN', `A ZeroMQ socket cannot ${verb} ${spec.text}: ${reason}.`, { cause });
}

/**
 * Binds a socket; resolves with the address under which it is reached: the spec with the port that the system chose, if
 * it was to choose. The directory of an ipc socket is made when missing; its file gets the mode, if one is given. Rejects
 * with `ControlError` ERR_ZMQ_SPEC or ERR_ZMQ_OPEN.
 */
export async function bindSocket(socket: Socket, text: string, ipcMode?: number): Promise<string> {
  const spec = parseSpec(text);
  socket.ipv6 = spec.ipv6;
  try {
    if (spec.file !== undefined) mkdirSync(dirname(spec.file), { recursive: true });
    await socket.bind(spec.text);
    if (spec.file !== undefined && ipcMode !== undefined) chmodSync(spec.file, ipcMode);
  } catch (error) {
    throw openError('listen on', spec, error);
  }
  if (!spec.anyPort) return spec.text;
  const port = /:(\d+)$/.exec(socket.lastEndpoint ?? '')?.[1] ?? '0';
  return spec.text.replace(/:[^:]*$/, `:${port}`);
}

/**
 * Has the library connect a socket, and connect it again whenever the connection breaks; nobody need be there yet.
 * Throws `ControlError` ERR_ZMQ_SPEC or ERR_ZMQ_OPEN.
 */
export function connectSocket(socket: Socket, text: string): void {
  const spec = parseSpec(text);
  socket.ipv6 = spec.ipv6;
  try {
    socket.connect(spec.text);
  } catch (error) {
    throw openError('connect to', spec, error);
  }
}

/**
 * Hands each message to `take`, in order, until the socket is closed; waits for what `take` returns before the next.
 * A throw of `take` costs that message only. Never rejects.
 */
export async function readMessages<Parts extends readonly Buffer[]>(
  socket: { [Symbol.asyncIterator](): AsyncIterator<Parts> },
  take: (parts: Parts) => Promise<void> | undefined,
  log: Log,
  faults: Containment,
): Promise<void> {
  try {
    for await (const parts of { [Symbol.asyncIterator]: () => socket[Symbol.asyncIterator]() }) {
      try {
        await take(parts);
      } catch (error) {
        faults.caught('zeromq', error);
      }
    }
  } catch (error) {
    log.error({ err: error }, 'a ZeroMQ socket failed; nothing more is read from it');
  }
}
