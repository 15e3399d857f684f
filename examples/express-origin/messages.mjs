// The messages of a WebSocket over HTTP, for origins with @fanoutio/serve-grip. The library has a queue of events that ends in
// a null for a close and in an exception for a client that has vanished; here it is a loop.

/**
 * The messages of one request, in order. A close of the client is answered with a close, and ends the loop.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws
 * @returns {Generator<string, void>} text; a binary message is decoded as UTF-8
 */
export function* messagesOf(ws) {
  while (ws.canRecv()) {
    let message = null;
    try {
      message = ws.recv();
    } catch {
      // The library's way to report DISCONNECT.
    }
    // The library reports no code when the client gave a reason as well, and would then send 0, which is no code that a client
    // can receive: hence 1000.
    if (message === null) return ws.close(ws.closeCode ?? 1000);
    yield message;
  }
}

/**
 * What a client sent as JSON. Its members may be anything.
 *
 * @param {string} text
 * @returns {Record<string, unknown>} empty when it is not a JSON object
 */
export function objectIn(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
