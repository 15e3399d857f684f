/** Sending one message to a PULL socket: what `holdfast publish` does when its spec is one of ZeroMQ. */
import { ControlError } from '../errors.js';
import { loadLibrary } from './library.js';
import { connectSocket } from './socket.js';

/**
 * Milliseconds for the connection to be made and, again, for the message to be written to it.
 *
 * @limit {s} for `holdfast publish` to find a ZeroMQ socket, and again to write
 * @over it fails
 */
export const PUSH_TIMEOUT_MS = 5_000;

/**
 * Connects to a PULL socket and sends a message. Resolves when the library has it for a connection that stands, which is
 * all that ZeroMQ lets a sender know; the process then goes on for as long as writing takes. Rejects with `ControlError`
 * ERR_ZMQ_MISSING, ERR_ZMQ_SPEC, ERR_ZMQ_OPEN, or ERR_ZMQ_SEND when nobody has been there in time.
 */
export async function pushPacket(spec: string, packet: Buffer, timeoutMs = PUSH_TIMEOUT_MS): Promise<void> {
  const library = await loadLibrary();
  // Without `immediate` the message would count as sent while there is no connection to send it on.
  const socket = new library.Push({ immediate: true, sendTimeout: timeoutMs, linger: timeoutMs });
  try {
    connectSocket(socket, spec);
    await socket.send(packet);
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    throw new ControlError('ERR_ZMQ_SEND', `Nobody listens on ${spec}.`, { cause });
  } finally {
    socket.close();
  }
}
