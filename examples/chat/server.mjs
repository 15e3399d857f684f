// A chat whose server never sees a WebSocket. The proxy in front (a route with `over_http`) holds the
// sockets and turns what clients send into ordinary POST requests; the answer to such a request says what
// to do with the socket. Between two requests nothing is kept here: restart it in the middle of a
// conversation, or run ten of it, and nobody notices.
//
// PORT      where this application listens (default 3000; 0 picks a free port)
// GRIP_URL  the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//           events that are not from the proxy are refused
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from '../express-origin/grip-sig.mjs';
import { converse, roomOf } from './conversation.mjs';

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
const serveGrip = new ServeGrip({
  grip: gripUrl,
  // Asked without a proxy (the page is open on this port, say), a room answers 501.
  gripProxyRequired: true,
});
const app = express();

app.get('/', (_req, res) => res.sendFile('index.html', { root: import.meta.dirname }));

// Verifies Grip-Sig: only the proxy may say what happens on a WebSocket. The library sees only that there is one.
warnIfUnverified(gripUrl);
app.use('/rooms', refuseForged(serveGrip));

// Reads the events of the WebSocket out of the body (req.grip.wsContext), and writes what is collected
// there into the answer when that is sent. Only rooms need it; the page above is plain HTTP.
app.use('/rooms', serveGrip);

app.all('/rooms/:room', async (req, res) => {
  const ws = req.grip.wsContext;
  const room = roomOf(req.path);
  // Any answer but 200 refuses the connection; the client receives it instead of its handshake.
  if (!room) return res.status(404).type('text').send('No such room.\n');
  if (!ws) return res.status(400).type('text').send('Open a WebSocket here.\n');
  await converse(ws, room, serveGrip.getPublisher());
  return res.end();
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`chat listening on http://127.0.0.1:${server.address().port}`);
});

// Ends when the requests in progress are answered. A proxy that loses its origin in the middle of one cannot
// know what has been done with it, and gives up the WebSocket; before and after, it tries again.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close();
    setInterval(() => server.closeIdleConnections(), 50).unref();
  });
}
