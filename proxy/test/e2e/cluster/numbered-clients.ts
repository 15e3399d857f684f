/**
 * Clients of a channel whose items are the numbers from 1 on, and what they have got: once, in order, without holes.
 */
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { encodeWsEvents, parseWsEvents } from '@holdfast/grip';
import WebSocket from 'ws';

/** What a client may have got that it should not. */
export interface Faults {
  repeated: number;
  missing: number;
}

/** What one client has got. */
export class Tally {
  readonly channel: string;
  /** The number that was there when the client came is not known to it: it begins with whatever comes first. */
  readonly #from: 'first' | 'any';
  readonly faults: Faults = { repeated: 0, missing: 0 };
  /** The highest number so far; 0 before the first. */
  last = 0;
  received = 0;
  /** The connection has ended. */
  over = false;

  constructor(channel: string, from: 'first' | 'any') {
    this.channel = channel;
    this.#from = from;
  }

  take(text: string): void {
    const n = Number(text);
    this.received++;
    if (this.last === 0 && this.#from === 'any') this.last = n;
    else if (n <= this.last) this.faults.repeated++;
    else {
      this.faults.missing += n - this.last - 1;
      this.last = n;
    }
  }
}

/** An origin's answer: a stream on the channel `/stream/CHANNEL`, a session on `/session/CHANNEL` (over_http). */
export function answerNumbered(request: IncomingMessage, response: ServerResponse): void {
  const [, kind, channel = ''] = (request.url ?? '').split('/');
  if (kind === 'stream') {
    response
      .writeHead(200, { 'Content-Type': 'text/plain', 'Grip-Hold': 'stream', 'Grip-Channel': channel })
      .end('0\n');
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const opens = parseWsEvents(Buffer.concat(chunks)).some(({ type }) => type === 'OPEN');
    const subscribe = Buffer.from(`c:${JSON.stringify({ type: 'subscribe', channel })}`);
    const answer = opens
      ? [
          { type: 'OPEN' as const },
          { type: 'TEXT' as const, content: subscribe },
          { type: 'TEXT' as const, content: Buffer.from('m:0') },
        ]
      : [];
    response.setHeader('Content-Type', 'application/websocket-events');
    response.setHeader('Sec-WebSocket-Extensions', 'grip');
    response.end(encodeWsEvents(answer));
  });
}

/** The formats of the item with a number, for both kinds of client. */
export function numberedItem(channel: string, n: number) {
  return {
    channel,
    id: `${n}`,
    formats: { 'http-stream': { content: `${n}\n` }, 'ws-message': { content: `${n}` } },
  };
}

/** Opens a stream; resolves when the origin's own line has come: from then on it is subscribed. */
export async function openStream(base: string, channel: string, from: 'first' | 'any' = 'first'): Promise<Tally> {
  const tally = new Tally(channel, from);
  await new Promise<void>((resolve, reject) => {
    const request = get(`${base}/stream/${channel}`, { agent: false }, (message) => {
      let rest = '';
      message.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines)
          if (line === '0') resolve();
          else tally.take(line);
      });
      message.on('error', () => {});
      message.on('close', () => {
        tally.over = true;
      });
    });
    request.on('error', (error) => {
      tally.over = true;
      reject(error);
    });
  });
  return tally;
}

/** Opens a session; resolves when the origin's own message has come: it has subscribed before. */
export async function openSession(base: string, channel: string, from: 'first' | 'any' = 'first'): Promise<Tally> {
  const tally = new Tally(channel, from);
  await new Promise<void>((resolve, reject) => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/session/${channel}`, { perMessageDeflate: false });
    socket.on('message', (data) => {
      const text = data.toString();
      if (text === '0') resolve();
      else tally.take(text);
    });
    socket.on('error', reject);
    socket.on('close', () => {
      tally.over = true;
    });
  });
  return tally;
}
