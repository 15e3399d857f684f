// The origin of the drain, which knows how many items each channel has. It holds each request from the item on that the client has last;
// what came since is for the history of the nodes to send. Event streams and WebSockets resume without its help. Of other
// streams a node asks it for what the history does not have, by their next link.
import { createServer } from 'node:http';
import { nameOf } from './mix.mjs';

/** Longer than the work takes: a long poll that is answered without an item was ended by its node. */
const POLL_TIMEOUT_S = 900;

export class DrainOrigin {
  #server;
  #published;
  /** Next links that it was asked for. */
  links = 0;

  /** @param {readonly number[]} published  the last item of each channel, now */
  constructor(published) {
    this.#published = published;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.keepAliveTimeout = 60_000;
  }

  /** @param {readonly number[]} published @returns {Promise<DrainOrigin>} */
  static async start(published) {
    const origin = new DrainOrigin(published);
    await new Promise((resolve) => origin.#server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return origin;
  }

  /** What routes name. */
  get target() {
    return `127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.#server.address()).port}`;
  }

  async stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const channel = Number(searchParams.get('ch'));
    const last = Number(searchParams.get('last'));
    if (pathname === '/ws') acceptSocket(channel, request, response);
    else if (pathname === '/events') hold(response, nameOf(channel), { 'Content-Type': 'text/event-stream' });
    else if (pathname === '/poll') {
      response.writeHead(200, {
        'Content-Type': 'text/plain',
        'Grip-Hold': 'response',
        'Grip-Channel': at(channel, last),
        'Grip-Timeout': POLL_TIMEOUT_S,
      });
      response.end();
    } else if (pathname === '/stream') hold(response, at(channel, last), nextOf(channel, last));
    else this.#answerLink(response, channel, last);
  }

  /** @param {import('node:http').ServerResponse} response @param {number} channel @param {number} last */
  #answerLink(response, channel, last) {
    this.links++;
    const now = this.#published[channel] ?? 0;
    const missed = Array.from({ length: Math.max(0, now - last) }, (_, i) => `data: ${last + i + 1}\n\n`);
    hold(response, at(channel, now), nextOf(channel, now), missed.join(''));
  }
}

/** @param {number} channel @param {number} last */
function at(channel, last) {
  return `${nameOf(channel)}; prev-id=${last}`;
}

/** @param {number} channel @param {number} last */
function nextOf(channel, last) {
  return { 'Content-Type': 'text/plain', 'Grip-Link': `</next?ch=${channel}&last=${last}>; rel=next` };
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {string} channel
 * @param {Record<string, string>} fields
 * @param {string} [body]
 */
function hold(response, channel, fields, body = ': open\n\n') {
  response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': channel, ...fields });
  response.end(body);
}

/** @param {number} channel @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
function acceptSocket(channel, request, response) {
  let body = '';
  request.setEncoding('utf8').on('data', (part) => {
    body += part;
  });
  request.on('end', () => {
    const subscribe = `c:${JSON.stringify({ type: 'subscribe', channel: nameOf(channel) })}`;
    const accepted = `OPEN\r\nTEXT ${subscribe.length.toString(16)}\r\n${subscribe}\r\n`;
    response.writeHead(200, { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' });
    response.end(body.startsWith('OPEN') ? accepted : '');
  });
}
