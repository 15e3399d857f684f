/**
 * An API as teams have it before they put a proxy in front: Express with its usual middleware, an event stream and a
 * WebSocket of its own, and nothing of GRIP.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import compression from 'compression';
import express, { type Express, type Request, type Response } from 'express';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';

/** Nothing in an answer may depend on when it was asked for. */
const DAY = new Date('2026-01-02T03:04:05Z');

const rows = Array.from({ length: 400 }, (_, id) => ({ id, name: `row ${id}`, tags: ['a', 'b', `t${id % 7}`] }));

const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

/** Starts it on a free port of 127.0.0.1, for as long as the test takes; resolves with `127.0.0.1:port`. */
export async function startApi(t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-api-'));
  writeFileSync(join(folder, 'page.html'), `<!doctype html>\n<title>Page</title>\n${'<p>text</p>\n'.repeat(500)}`);
  writeFileSync(join(folder, 'data.bin'), Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7) % 256)));
  const server = createServer(api(folder));
  serveSockets(server);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function api(folder: string): Express {
  const app = express();
  app.use(compression());
  const still = { lastModified: false, etag: true, cacheControl: true, maxAge: 60_000 };
  app.use('/files', express.static(folder, still));
  addAnswers(app);
  addUploads(app);
  app.get('/download', (_, response) => response.download(join(folder, 'data.bin'), 'naïve €.bin', still));
  app.get('/events', sendEvents);
  app.use((request, response) => {
    response.status(404).json({ error: 'not found', path: request.originalUrl });
  });
  return app;
}

function addAnswers(app: Express): void {
  app.get('/rows', (_, response) => response.json(rows));
  app.get('/row/:id', (request, response) => response.json(rows[Number(request.params.id)] ?? null));
  app.get('/echo', (request, response) => response.json({ query: request.query, url: request.originalUrl }));
  app.get('/agent', (request, response) =>
    response.json({
      accept: request.headers.accept,
      encoding: request.headers['accept-encoding'],
      ua: request.get('user-agent'),
    }),
  );
  app.get('/login', (_, response) => {
    response.cookie('session', 'abc', { httpOnly: true, path: '/' });
    response.cookie('theme', 'dark mode', { sameSite: 'lax', expires: DAY });
    response.json({ ok: true });
  });
  app.get('/who', (request, response) => response.json({ cookie: request.headers.cookie ?? null }));
  app.get('/old', (_, response) => response.redirect('/row/1'));
  app.get('/moved', (_, response) => response.redirect(308, '/row/2?x=1#part'));
  app.get('/private', (_, response) => {
    response.set('WWW-Authenticate', 'Basic realm="api"').status(401).send('Who are you?');
  });
  app.get('/empty', (_, response) => response.status(204).end());
  app.get('/teapot', (_, response) => response.status(418).type('text/plain').send('short and stout'));
  app.get('/broken', (_, response) => response.status(500).json({ error: 'it broke' }));
  app.get('/reason', (_, response) => {
    response.statusMessage = 'Quite Alright';
    response.send('yes');
  });
  app.get('/heads', (_, response) => {
    response.append('X-Twice', 'one').append('X-Twice', 'two').set('X-Latin', 'caf\xe9').set('x-odd-CASE', 'kept');
    response.set('Link', '</rows>; rel="next"').set('X-Long', 'v'.repeat(3_000)).send('heads');
  });
  app.get('/pieces', (_, response) => {
    response.set('Cache-Control', 'no-transform').type('text/plain');
    for (let i = 0; i < 20; i++) response.write(`piece ${i} ${'.'.repeat(i * 50)}\n`);
    response.end('last\n');
  });
  app.options('/row/:id', (_, response) => response.set('Allow', 'GET, PUT, DELETE').status(204).end());
}

function addUploads(app: Express): void {
  const raw = express.raw({ type: () => true, limit: '2mb' });
  app.post('/json', express.json(), (request, response) => response.status(201).location('/row/9').json(request.body));
  app.post('/form', express.urlencoded({ extended: true }), (request, response) => response.json(request.body));
  const told = (request: Request, response: Response) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    response.json({
      method: request.method,
      type: request.get('content-type') ?? null,
      length: request.get('content-length') ?? null,
      bytes: body.length,
      digest: digest(body),
    });
  };
  app.all('/upload', raw, told);
  app.use((error: Error & { status?: number; type?: string }, _: Request, response: Response, next: () => void) => {
    if (response.headersSent) next();
    else response.status(error.status ?? 500).json({ error: error.type ?? 'unknown' });
  });
}

function sendEvents(request: Request, response: Response): void {
  response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  let id = Number(request.get('last-event-id') ?? 0);
  const timer = setInterval(() => {
    response.write(`id: ${++id}\ndata: event ${id}\n\n`);
    // Compression holds back what it is not told to send.
    (response as Response & { flush(): void }).flush();
    if (id % 5 === 0) {
      clearInterval(timer);
      response.end();
    }
  }, 20);
}

/** Echoes, with a subprotocol, and closes with a code of its own when it is asked to. */
function serveSockets(server: Server): void {
  const sockets = new WebSocketServer({ server, path: '/socket', handleProtocols: () => 'echo.v1' });
  sockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.url}`);
    socket.on('message', (data, isBinary) => {
      if (!isBinary && String(data) === 'bye') socket.close(4_001, 'as asked');
      else socket.send(data, { binary: isBinary });
    });
  });
}
