// What the chat does with the events of one WebSocket, and nothing about how they arrived. Every call
// starts from zero: the room is in the address, and who somebody is comes along with every request because
// the proxy keeps it for us. So any process, on any machine, can answer the next request of any client. Who
// is here and what was said before is kept by the proxy as well.
import { createHash, randomUUID } from 'node:crypto';
import { createWebSocketControlMessage, WebSocketMessageFormat } from '@fanoutio/grip';

/** Rooms are path segments and become part of a channel's name. */
const ROOM = /^[\w-]{1,40}$/;
/** A client's id of a message: when it is sent again, it has the same. */
const MESSAGE_ID = /^[\w-]{1,40}$/;
/** Characters, more of which are refused, not cut; messages that a newcomer gets; how long the proxy may take for a list. */
const LIMITS = { name: 40, text: 2000, key: 100, earlier: 30, listMs: 5_000 };

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
 * Works off the events of one request.
 *
 * | a client sends, as JSON       | it gets                                                                          |
 * | ----------------------------- | -------------------------------------------------------------------------------- |
 * | `{"name":"Ann","key":"…"}`    | `{"type":"you","user":"…"}`, then the last messages, and from then on all others |
 * | `{"name":"Anna"}`             | the room: `{"type":"renamed","user":"…","from":"Ann","name":"Anna","at":"…"}`    |
 * | `{"text":"hello","id":"1"}`   | the room: `{"type":"text","user":"…","from":"Ann","text":"hello","id":"1","at":"…"}`; the client: `{"type":"sent","id":"1"}` |
 * | `{"who":true}`                | `{"type":"here","at":"…","members":[{"user":"…","info":"Ann"}]}`                 |
 * | anything else                 | `{"type":"error","text":"…"}`, with the `id` of the message, if it had one       |
 *
 * `key` is a secret of the client, by which it is the same user when it comes back. Who comes and goes is published by the proxy:
 * `{"type":"presence","join":[{"user":"…","info":"Ann"}],"leave":[…]}`. `info` is a name, percent-encoded.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws  events in; collects the answer
 * @param {string} room
 * @param {import('@fanoutio/grip').Publisher} publisher  the control API of the proxy
 * @returns {Promise<void>} when all has been published; then send the answer that `ws` has collected
 */
export async function converse(ws, room, publisher) {
  if (ws.isOpening()) ws.accept();
  while (ws.canRecv()) {
    const message = receive(ws);
    // A close is answered with a close. The library reports no code when the client gave a reason as
    // well, and would then send 0, which is no code that a client can receive: hence 1000.
    if (message === undefined) return ws.close(ws.closeCode ?? 1000);
    const said = parse(message);
    try {
      ws.send(JSON.stringify(await answer(ws, said, `chat-${room}`, publisher)));
    } catch (error) {
      // Mostly a control API that cannot be reached. A failed request would cost the client its
      // connection; tell it instead.
      console.error(`room ${room}: ${error.message}`);
      ws.send(JSON.stringify({ type: 'error', id: said.id, text: 'That did not get through.' }));
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
 * @param {{ name?: unknown, key?: unknown, text?: unknown, id?: unknown, who?: unknown }} said
 * @param {string} channel
 * @param {import('@fanoutio/grip').Publisher} publisher
 * @returns {Promise<object>} what the client gets
 * @throws when the room does not get it
 */
async function answer(ws, { name, key, text, id = randomUUID(), who }, channel, publisher) {
  const { user, info = '' } = ws.meta;
  const [oldName, at] = [decodeURIComponent(info), new Date().toISOString()];
  /** @param {object} message @param {string} [itemId] */
  const publish = (message, itemId) =>
    publisher.publishFormats(channel, new WebSocketMessageFormat(JSON.stringify(message)), itemId);

  if (isFilled(name, LIMITS.name)) {
    if (oldName === '') enter(ws, channel, isFilled(key, LIMITS.key) ? key : ws.id);
    else if (oldName !== name) await publish({ type: 'renamed', user, from: oldName, name, at });
    // Becomes a Set-Meta-Info header: the proxy sends it back as Meta-Info with all later requests of this
    // connection, and shows it in the list of members. Headers are ASCII, names are not.
    ws.meta.info = encodeURIComponent(name);
    return { type: 'you', user: ws.meta.user, name };
  }
  if (user && isFilled(text, LIMITS.text) && typeof id === 'string' && MESSAGE_ID.test(id)) {
    // Sent twice it is the same item, which the proxy publishes once.
    await publish({ type: 'text', user, from: oldName, text, id, at }, `${user}-${id}`);
    return { type: 'sent', id };
  }
  if (user && who) return { type: 'here', at, ...(await membersOf(channel, publisher)) };
  const wanted = user ? `{"text":"…"}, at most ${LIMITS.text} characters` : '{"name":"…"} first';
  return { type: 'error', id, text: `Please send ${wanted}.` };
}

/**
 * Makes a client a user of the room. From now on the proxy writes what is published there to this client, without asking us.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws
 * @param {string} channel
 * @param {string} secret  others see only its hash. An application takes the user of its login
 */
function enter(ws, channel, secret) {
  ws.meta.user = createHash('sha256').update(secret).digest('hex').slice(0, 16);
  // Who comes and goes first: what happens before the client asks for the list is then in both, and nobody is in neither.
  for (const named of [{ channel: `${channel}$presence` }, { channel, initial: LIMITS.earlier }])
    ws.sendControl(createWebSocketControlMessage('subscribe', named));
}

/** Asks the control API who is on a channel. @returns {Promise<object>} empty where the proxy gives no such list */
async function membersOf(channel, { clients: [control] }) {
  const address = new URL(`../channels/${encodeURIComponent(channel)}/members`, control.publishUri);
  const key = await control.getAuth()?.buildHeader();
  const headers = key ? { Authorization: key } : {};
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(LIMITS.listMs) });
    const { members, capped } = response.ok ? await response.json() : {};
    return { members, capped };
  } catch {
    return {};
  }
}

/** @param {string} message @returns {object} empty when it is not a JSON object */
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
