/**
 * Clients that come back whenever their connection ends, with the last position that they have: what the drain of a node must
 * cost them is nothing. Items are the numbers from 1 on.
 */
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';

/** Between the end of a connection and the next one, in ms. */
const PAUSE_MS = 20;
/** Between two ordinary requests of one client, in ms: each is a handshake of TLS. */
const ORDINARY_PAUSE_MS = 60;

/** Where to connect to, and the authority that is trusted. */
export interface Target {
  readonly base: string;
  readonly ca: string;
}

/** What clients have seen; all clients of one balancer share it. */
export class Sight {
  /** What went wrong: requests that failed, bodies that broke off. */
  readonly failures: string[] = [];
  /** The numbers of each client, in the order in which they came. */
  readonly received: string[][] = [];
  /** How often clients have come back. */
  returns = 0;
  requests = 0;
  isOver = false;
}

/** Asks and resolves with the whole body; every part goes to `take` as it comes. Rejects when it fails or breaks off. */
function ask(
  { base, ca }: Target,
  path: string,
  { method = 'GET', headers = {}, take = (_: string) => {} } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(`${base}${path}`, { method, headers, ca, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        take(part);
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? 'body' : undefined);
  });
}

/** Repeats until it is over; what rejects meanwhile is a failure. */
async function repeat(sight: Sight, what: string, once: () => Promise<void>, pause = PAUSE_MS): Promise<void> {
  while (!sight.isOver) {
    await once().catch((error: Error) => {
      if (!sight.isOver) sight.failures.push(`${what}: ${error.message}`);
    });
    await delay(pause);
  }
}

/** Asks again and again, by turns with GET and POST. */
export function ordinary(target: Target, sight: Sight): void {
  const once = async () => {
    sight.requests++;
    await ask(target, '/given', { method: sight.requests % 2 === 0 ? 'GET' : 'POST' });
  };
  void repeat(sight, 'a request', once, ORDINARY_PAUSE_MS);
}

/** An event stream that comes back with its last event's id. */
export function eventStream(target: Target, sight: Sight, channel: string): void {
  const received: string[] = [];
  sight.received.push(received);
  let id = '';
  void repeat(sight, 'an event stream', async () => {
    sight.returns++;
    let rest = '';
    const take = (part: string) => {
      const lines = (rest + part).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        if (line.startsWith('id: ')) id = line.slice(4);
        else if (line.startsWith('data: ')) received.push(line.slice(6));
      }
    };
    await ask(target, `/events?channel=${channel}`, { headers: id === '' ? {} : { 'Last-Event-ID': id }, take });
  });
}

/** A long poll that names the last item that it has. */
export function longPoll(target: Target, sight: Sight, channel: string): void {
  const received: string[] = [];
  sight.received.push(received);
  void repeat(sight, 'a long poll', async () => {
    sight.returns++;
    const text = await ask(target, `/poll?channel=${channel}&last=${received.at(-1) ?? 0}`);
    if (/^\d+$/.test(text)) received.push(text);
  });
}

/** A WebSocket that comes back with its last token. */
export function webSocket({ base, ca }: Target, sight: Sight, channel: string): void {
  const received: string[] = [];
  sight.received.push(received);
  let token = '';
  void repeat(sight, 'a WebSocket', async () => {
    sight.returns++;
    const url = `${base.replace('http', 'ws')}/ws?channel=${channel}&holdfast-resume=${token}`;
    const socket = new WebSocket(url, { ca, perMessageDeflate: false });
    socket.on('message', (data) => {
      const text = data.toString();
      if (!text.startsWith('{')) {
        if (text !== 'opened') received.push(text);
      } else token = (JSON.parse(text) as { 'holdfast-resume': string | null })['holdfast-resume'] ?? 'lost';
    });
    const timer = setInterval(() => sight.isOver && socket.terminate(), PAUSE_MS);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', (code) => (code === 1012 ? resolve() : reject(new Error(`closed with ${code}`))));
    }).finally(() => clearInterval(timer));
  });
}
