// What the chat does with the events of one WebSocket, and nothing about how they arrived. Every call
// starts from zero: the room is in the address, and the name comes along with every request because the
// proxy keeps it for us. So any process, on any machine, can answer the next request of any client.
import { WebSocketMessageFormat } from '@fanoutio/grip';

/** Rooms are path segments and become part of a channel's name. */
const ROOM = /^[\w-]{1,40}$/;
/** Characters. Longer ones are refused, not cut. */
const LIMITS = { name: 40, text: 2000 };

/**
 * Says which room an address names.
 *
 * @param {string} pathname  `/rooms/<room>`
 * @returns {string | undefined} undefined when it is not the address of a room
 */
export function roomOf(pathname) {
  const [, room = ''] = /^\/rooms\/([^/]+)$/.exec(pathname) ?? [];
  return ROOM.test(room) ? room : undefined;
}

/**
 * Works off the events of one request. What the client sends is JSON text: `{"name":"Ann"}` first, and
 * again to change the name, then `{"text":"hello"}`. What clients receive is JSON text too:
 * `{"type":"text","from":"Ann","text":"hello"}`, `{"type":"note","text":"Ann is here"}` to everybody in
 * the room, `{"type":"error","text":"…"}` to one client alone.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws  events in; collects the answer
 * @param {string} room
 * @param {import('@fanoutio/grip').Publisher} publisher  the control API of the proxy
 * @returns {Promise<void>} when all has been published; then send the answer that `ws` has collected
 */
export async function converse(ws, room, publisher) {
  const channel = `chat-${room}`;
  /** @param {object} message */
  const tellRoom = (message) => publisher.publishFormats(channel, new WebSocketMessageFormat(JSON.stringify(message)));

  if (ws.isOpening()) {
    // From now on the proxy writes what we publish to this channel to this client, without asking us.
    ws.accept();
    ws.subscribe(channel);
  }
  while (ws.canRecv()) {
    const message = receive(ws);
    try {
      if (message === undefined) {
        // A close is answered with a close. The library reports no code when the client gave a reason as
        // well, and would then send 0, which is no code that a client can receive: hence 1000.
        ws.close(ws.closeCode ?? 1000);
        const name = nameOf(ws);
        if (name) await tellRoom({ type: 'note', text: `${name} has left` });
        return;
      }
      await answer(ws, message, tellRoom);
    } catch (error) {
      // Mostly a control API that cannot be reached. A failed request would cost the client its
      // connection; tell it instead.
      console.error(`room ${room}: ${error.message}`);
      ws.send(JSON.stringify({ type: 'error', text: 'That did not get through. Try again.' }));
    }
  }
}

/**
 * @param {import('@fanoutio/grip').WebSocketContext} ws
 * @returns {string | undefined} the next message; undefined when the client has closed or vanished
 */
function receive(ws) {
  try {
    return ws.recv() ?? undefined;
  } catch {
    return undefined; // The library's way to report DISCONNECT: gone without a close.
  }
}

/**
 * @param {import('@fanoutio/grip').WebSocketContext} ws
 * @param {string} message
 * @param {(message: object) => Promise<void>} tellRoom
 */
async function answer(ws, message, tellRoom) {
  const { name, text } = parse(message);
  const oldName = nameOf(ws);
  if (isFilled(name, LIMITS.name)) {
    // Becomes a Set-Meta-Name header: the proxy sends it back as Meta-Name with all later requests of
    // this connection. That is our memory. Headers are ASCII, names are not.
    ws.meta.name = encodeURIComponent(name);
    if (!oldName) await tellRoom({ type: 'note', text: `${name} is here` });
    else if (oldName !== name) await tellRoom({ type: 'note', text: `${oldName} is now ${name}` });
  } else if (oldName && isFilled(text, LIMITS.text)) {
    // The sender is in the room as well: seeing its own words come back is its receipt.
    await tellRoom({ type: 'text', from: oldName, text });
  } else {
    const wanted = oldName ? `{"text":"…"}, at most ${LIMITS.text} characters` : '{"name":"…"} first';
    ws.send(JSON.stringify({ type: 'error', text: `Please send ${wanted}.` }));
  }
}

/** @param {import('@fanoutio/grip').WebSocketContext} ws @returns {string} '' for a client without a name */
function nameOf(ws) {
  return decodeURIComponent(ws.meta.name ?? '');
}

/** @param {string} message @returns {{ name?: unknown, text?: unknown }} empty when it is not a JSON object */
function parse(message) {
  try {
    return Object(JSON.parse(message));
  } catch {
    return {};
  }
}

/** @param {unknown} value @param {number} limit @returns {value is string} */
function isFilled(value, limit) {
  // Half a surrogate pair is text in JSON, but nothing that a header or a WebSocket can carry.
  return typeof value === 'string' && value.trim() !== '' && value.length <= limit && value.isWellFormed();
}
