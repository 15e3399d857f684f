// A GRIP origin in Express: an ordinary web application that tells the proxy in front of it to keep
// some requests open, and later publishes what those clients wait for. It never holds a connection
// itself. Any GRIP library does; this one uses @fanoutio/serve-grip as it is on npm.
//
// HOST      the address at which this application listens (default 127.0.0.1)
// PORT      its port (default 3000; 0 picks a free one)
// GRIP_URL  the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//           requests that pass for the proxy's and are not are refused
import { HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from './grip-sig.mjs';

const LONG_POLL_SECONDS = 20;

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
const serveGrip = new ServeGrip({ grip: gripUrl });
const app = express();

// Verifies Grip-Sig. The library sees only that there is one.
warnIfUnverified(gripUrl);
app.use(refuseForged(serveGrip));

// Looks whether there is a Grip-Sig on the way in (req.grip), and writes the Grip-* headers on the way out (res.grip).
app.use(serveGrip);

app.get('/', (_req, res) => {
  res.type('text').send('Hello from the Express origin!\n');
});

/**
 * The channel comes from ?channel=, `test` by default. Without a proxy in front there is nobody who
 * could hold the request; say so instead of failing in startInstruct().
 */
function startHold(req, res) {
  if (!req.grip.isProxied) {
    res.status(501).type('text').send('Ask through the GRIP proxy.\n');
    return undefined;
  }
  return { channel: String(req.query.channel ?? 'test'), instruct: res.grip.startInstruct() };
}

// A stream hold: what we send now is the beginning, every published item is written after it.
app.get('/stream', (req, res) => {
  const hold = startHold(req, res);
  if (!hold) return;
  hold.instruct.addChannel(hold.channel);
  hold.instruct.setHoldStream();
  res.type('text').send('[stream opened]\n');
});

// The same as server-sent events, for EventSource in a browser. A comment line every 20 s keeps idle connections open.
app.get('/events', (req, res) => {
  const hold = startHold(req, res);
  if (!hold) return;
  hold.instruct.addChannel(hold.channel);
  hold.instruct.setHoldStream();
  hold.instruct.setKeepAlive(':\n\n', 20);
  res.type('text/event-stream').send('event: stream-open\ndata:\n\n');
});

// A response hold, or long poll: the next published item is the answer. What we send now is the answer
// if none comes in time.
app.get('/poll', (req, res) => {
  const hold = startHold(req, res);
  if (!hold) return;
  hold.instruct.addChannel(hold.channel);
  hold.instruct.setHoldLongPoll(LONG_POLL_SECONDS);
  res.type('text').send('nothing new\n');
});

// A WebSocket, if the route says `over_http`: its events arrive as POST requests. What the client sends is dropped.
app.post('/socket', (req, res) => {
  const socket = req.grip.wsContext;
  if (!socket) {
    res.status(400).type('text').send('Open a WebSocket here, on a route with over_http.\n');
    return;
  }
  if (socket.isOpening()) {
    socket.accept();
    socket.subscribe(String(req.query.channel ?? 'test'));
  }
  let isOpen = true;
  while (isOpen && socket.canRecv()) isOpen = readMessage(socket);
  res.end();
});

/** Takes the next message off. @returns {boolean} false when the client has closed, or has gone without a close */
function readMessage(socket) {
  try {
    if (socket.recv() !== null) return true;
    socket.close(socket.closeCode ?? 1000);
  } catch {
    // The library's way to report DISCONNECT.
  }
  return false;
}

// Publishes the request's body to everybody: one item in three formats, for streams, long polls and WebSockets. The proxy
// picks the format that each held client needs. Streams get an event, as an EventSource understands nothing else.
app.post('/publish', express.text({ type: () => true }), async (req, res) => {
  const channel = String(req.query.channel ?? 'test');
  const text = typeof req.body === 'string' ? req.body : '';
  const event = text.replace(/^/gm, 'data: ');
  const publisher = serveGrip.getPublisher();
  try {
    const formats = [
      new HttpStreamFormat(`${event}\n\n`),
      new HttpResponseFormat({ body: `${text}\n` }),
      new WebSocketMessageFormat(text),
    ];
    await publisher.publishFormats(channel, formats);
    res.type('text').send('Published\n');
  } catch (error) {
    res.status(502).type('text').send(`Not published: ${error.message}\n`);
  }
});

const host = process.env.HOST ?? '127.0.0.1';
const server = app.listen(Number(process.env.PORT ?? 3000), host, (error) => {
  if (error) throw error;
  console.log(`express-origin listening on http://${host}:${server.address().port}`);
});
