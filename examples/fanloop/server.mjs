// The API of fanloop, served by an application that holds no connection: clients open a WebSocket at /ws and subscribe by JSON
// frames, publishers POST to /publish/<channel> with a key. The route says `over_http`: Holdfast has the sockets, and sends the
// frames of clients here as ordinary requests. Between two of them nothing is kept: restart it at any time, or run ten of it.
//
// PORT             where this application listens (default 3000; 0 picks a free port)
// GRIP_URL         the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//                  events that are not from the proxy are refused
// FANLOOP_API_KEY  what publishers have in X-API-Key (default dev-key)
import { createHash, timingSafeEqual } from 'node:crypto';
import { WebSocketMessageFormat } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from '../express-origin/grip-sig.mjs';
import { messagesOf, objectIn } from '../express-origin/messages.mjs';

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
// Asked without a proxy, /ws answers 501.
const serveGrip = new ServeGrip({ grip: gripUrl, gripProxyRequired: true });
const app = express();

warnIfUnverified(gripUrl);
app.use('/ws', refuseForged(serveGrip), serveGrip);

app.all('/ws', (req, res) => {
  const ws = req.grip.wsContext;
  if (!ws) return res.status(400).type('text').send('Open a WebSocket here.\n');
  if (ws.isOpening()) ws.accept();
  for (const message of messagesOf(ws)) obey(ws, objectIn(message));
  return res.end();
});

/**
 * Carries out `{"action":"subscribe","channel":"orders"}`, or "unsubscribe". What is neither is ignored, without an answer.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws
 * @param {{ action?: unknown, channel?: unknown }} frame
 */
function obey(ws, { action, channel }) {
  if (typeof channel !== 'string') return;
  // Everybody may have every channel. This is the place to look whether this client may: the request has its cookies and
  // Authorization.
  if (action === 'subscribe') ws.subscribe(channel);
  else if (action === 'unsubscribe') ws.unsubscribe(channel);
}

/** Refuses a publisher without the key, before anything of its body is read. @type {import('express').RequestHandler} */
function needsKey(req, res, next) {
  if (isKey(req.get('x-api-key') ?? '')) next();
  else res.status(401).end();
}

app.post('/publish/:channel', needsKey, express.text({ type: () => true, limit: '256kb' }), async (req, res) => {
  // Without a body there is none to read, not even an empty one.
  if (typeof req.body !== 'string' || req.body === '') return res.status(400).end();
  const { channel } = req.params;
  try {
    await serveGrip.getPublisher().publishFormats(channel, new WebSocketMessageFormat(envelope(channel, req.body)));
  } catch (error) {
    console.error(`channel ${JSON.stringify(channel)}: ${error.message}`);
    // Refused: no name of a channel, or too long. Otherwise the control API is away, and the publisher may try again.
    const status = error.context?.statusCode;
    return res.status(status === 400 || status === 413 ? status : 503).end();
  }
  return res.status(202).end();
});

/**
 * What subscribers get: JSON as the publisher wrote it, with every digit of its numbers, and any other text as a string.
 *
 * @param {string} channel
 * @param {string} body
 */
function envelope(channel, body) {
  return `{"channel":${JSON.stringify(channel)},"data":${isJson(body) ? body : JSON.stringify(body)}}`;
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest();
const key = digest(process.env.FANLOOP_API_KEY ?? 'dev-key');

/** Takes the same time whatever is given. @param {string} given */
function isKey(given) {
  return timingSafeEqual(digest(given), key);
}

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`fanloop listening on http://127.0.0.1:${server.address().port}`);
});

// Ends when the requests in progress are answered: see ../chat/server.mjs.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close();
    setInterval(() => server.closeIdleConnections(), 50).unref();
  });
}
