// Messages between users who have several devices each: a WebSocket at /ws?userId=ann, and what one user sends to another
// reaches all devices of that one, on all nodes. Each user has a channel, and each device is subscribed to it: Holdfast knows
// which nodes have any, so that there is no table of users and servers to keep right. The route says `over_http`, and nothing is
// kept here between two requests but the numbers of /metrics.
//
// PORT               where this application listens (default 3000; 0 picks a free port)
// GRIP_URL           the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//                    events that are not from the proxy are refused
// HEARTBEAT_SECONDS  a device to which nothing else is sent for so long gets a heartbeat (default 30)
import { WebSocketMessageFormat } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from '../express-origin/grip-sig.mjs';
import { messagesOf, objectIn } from '../express-origin/messages.mjs';

/** Characters of a user's name, and the longest latency that anybody can mean, in ms. */
const LIMITS = { user: 100, latency: 600_000 };

const heartbeat = JSON.stringify({
  type: 'keep-alive',
  content: JSON.stringify({ type: 'heartbeat' }),
  timeout: Number(process.env.HEARTBEAT_SECONDS ?? 30),
});
const counted = { messages: 0, reports: 0, latencyMs: 0 };

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
// Asked without a proxy, /ws answers 501.
const serveGrip = new ServeGrip({ grip: gripUrl, gripProxyRequired: true });
const app = express();

warnIfUnverified(gripUrl);
app.use('/ws', refuseForged(serveGrip), serveGrip);

app.all('/ws', async (req, res) => {
  const { userId } = req.query;
  // Anybody may be anybody here, as in websocket-app. Take the user from your session or token instead: the proxy passes the
  // cookies and the Authorization of the handshake on with every request.
  if (!isUser(userId)) return res.status(400).type('text').send('missing userId\n');
  const ws = req.grip.wsContext;
  if (!ws) return res.status(400).type('text').send('Open a WebSocket here.\n');
  if (ws.isOpening()) {
    ws.accept();
    ws.subscribe(channelOf(userId));
    // Whose the session is, for views, limits and filters of Holdfast. Headers are ASCII, names are not.
    ws.meta.user = encodeURIComponent(userId);
    // From now on Holdfast sends it by itself. Pages cannot see pings: a text shows them that the connection is alive.
    ws.sendControl(heartbeat);
  }
  for (const text of messagesOf(ws)) {
    counted.messages++;
    const message = objectIn(text);
    if (message.type === 'chat_message') await pass(ws, userId, message);
    else if (message.type === 'latency_report') note(message.payload);
  }
  return res.end();
});

/**
 * Sends a message to all devices of its receiver. Who sent it and when is not for the client to say.
 *
 * @param {import('@fanoutio/grip').WebSocketContext} ws  of the sender
 * @param {string} senderId
 * @param {{ payload?: unknown, receiverId?: unknown, receiverID?: unknown }} message
 */
async function pass(ws, senderId, { payload = null, receiverId, receiverID = receiverId }) {
  if (!isUser(receiverID)) return;
  const message = { type: 'chat_message', payload, receiverID, senderId, timestamp: new Date().toISOString() };
  try {
    await serveGrip
      .getPublisher()
      .publishFormats(channelOf(receiverID), new WebSocketMessageFormat(JSON.stringify(message)));
  } catch (error) {
    console.error(`message to ${JSON.stringify(receiverID)}: ${error.message}`);
    ws.send(JSON.stringify({ type: 'error', payload: 'not sent', receiverID }));
  }
}

/** Takes the latency that a client has measured, in ms. @param {unknown} latency */
function note(latency) {
  if (typeof latency !== 'number' || latency < 0 || latency > LIMITS.latency) return;
  counted.reports++;
  counted.latencyMs += latency;
}

/** @param {unknown} name @returns {name is string} */
function isUser(name) {
  // Half a surrogate pair is text in JSON, but nothing that a header can carry.
  return typeof name === 'string' && name !== '' && name.length <= LIMITS.user && name.isWellFormed();
}

/** @param {string} user */
const channelOf = (user) => `user-${user}`;

// For Prometheus, which adds up several of this application. The mean latency is the rate of its sum by the rate of its count.
app.get('/metrics', (_req, res) => {
  const lines = [
    `user_messages_received_total ${counted.messages}`,
    `user_messages_latency_milliseconds_sum ${counted.latencyMs}`,
    `user_messages_latency_milliseconds_count ${counted.reports}`,
  ];
  res.type('text').send(`${lines.join('\n')}\n`);
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`user-messages listening on http://127.0.0.1:${server.address().port}`);
});

// Ends when the requests in progress are answered: see ../chat/server.mjs.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close();
    setInterval(() => server.closeIdleConnections(), 50).unref();
  });
}
