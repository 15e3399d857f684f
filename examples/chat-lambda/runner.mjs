// A stand-in for AWS Lambda on this machine: turns each HTTP request into an event, starts a new thread
// that loads handler.mjs from scratch, calls it once, and ends the thread. Lambda proper uses what it has
// loaded again when it can; this one never does, to show that nothing lives between two requests.
//
// PORT      where it listens (default 3000; 0 picks a free port)
// GRIP_URL  passed to the function: the control API of the proxy
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Worker } from 'node:worker_threads';

/** What is allowed on AWS: bytes in the body of a request to Lambda, and the time that API Gateway waits. */
const LIMITS = { bytes: 6_000_000, milliseconds: 30_000 };

const server = createServer(async (req, res) => {
  const started = performance.now();
  const response = await respond(req).catch((error) => {
    console.error(error);
    return failure(500, 'Internal Server Error');
  });
  const body = Buffer.from(response.body, response.isBase64Encoded ? 'base64' : 'utf8');
  res.writeHead(response.statusCode, { ...response.headers, 'Content-Length': body.length }).end(body);
  const lived = (performance.now() - started).toFixed(0);
  console.log(`${req.method} ${req.url} ${response.statusCode}, a function lived for ${lived} ms`);
});

/**
 * @param {import('node:http').IncomingMessage} req
 * @returns {Promise<import('./handler.mjs').LambdaResponse>}
 * @throws whatever the function throws, and when the request breaks off
 */
async function respond(req) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes <= LIMITS.bytes) chunks.push(chunk);
  }
  if (bytes > LIMITS.bytes) return failure(413, 'Request Too Long');
  return invoke(toEvent(req, Buffer.concat(chunks)));
}

/**
 * Calls the function in a thread of its own.
 *
 * @param {import('./handler.mjs').LambdaEvent} event
 * @returns {Promise<import('./handler.mjs').LambdaResponse>}
 * @throws whatever the function throws; AbortError when it takes too long
 */
async function invoke(event) {
  const worker = new Worker(new URL('./invocation.mjs', import.meta.url), { workerData: event });
  try {
    const [response] = await once(worker, 'message', { signal: AbortSignal.timeout(LIMITS.milliseconds) });
    return response;
  } finally {
    await worker.terminate();
  }
}

/**
 * @param {import('node:http').IncomingMessage} req
 * @param {Buffer} body
 * @returns {import('./handler.mjs').LambdaEvent} in the payload format 2.0 of API Gateway
 */
function toEvent(req, body) {
  const url = new URL(req.url ?? '/', 'http://lambda.invalid');
  const isText = /^(text\/|application\/json)/.test(req.headers['content-type'] ?? '');
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)])),
    requestContext: { http: { method: req.method ?? 'GET', path: url.pathname, protocol: `HTTP/${req.httpVersion}` } },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: !isText && body.length > 0,
  };
}

/** API Gateway's own answers. @param {number} statusCode @param {string} message */
function failure(statusCode, message) {
  const body = JSON.stringify({ message });
  return { statusCode, headers: { 'Content-Type': 'application/json' }, body, isBase64Encoded: false };
}

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`chat-lambda listening on http://127.0.0.1:${server.address().port}`);
});

// Ends when the requests in progress are answered. A proxy that loses its origin in the middle of one cannot
// know what has been done with it, and gives up the WebSocket; before and after, it tries again.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close();
    setInterval(() => server.closeIdleConnections(), 50).unref();
  });
}
