// A hold of each kind as real clients have it: it comes back whenever it ends, with the last position that it has. Each function opens
// one and resolves when it is held for the first time.
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

/** Before the next attempt after one that failed, in ms. */
const FAILED_PAUSE_MS = 200;
/** A WebSocket comes back after so long, and as much again at random, as the example in docs/history.md does. */
const SOCKET_PAUSE_MS = 1_000;

const keptAlive = new Agent({ keepAlive: true });

/** @typedef {import('./sight.mjs').Client} Client */
/** @typedef {import('./sight.mjs').Sight} Sight */
/** @typedef {(client: Client, sight: Sight, base: string) => Promise<void>} Open */

/**
 * Asks over and over: what `once` resolves with says whether a node ended the hold before its time, and what it rejects with is a
 * failure.
 *
 * @param {Client} client
 * @param {Sight} sight
 * @param {(held: () => void) => Promise<boolean>} once
 * @param {() => number} pause  before it comes back, in ms
 * @returns {Promise<void>}
 */
function repeat(client, sight, once, pause = () => 0) {
  return new Promise((resolve) => {
    const held = () => {
      client.isHeld = true;
      resolve();
    };
    const go = async () => {
      let isReturn = false;
      for (;;) {
        if (isReturn) sight.returned();
        try {
          isReturn = await once(held);
          if (!isReturn) continue;
          sight.ended(client);
          await delay(pause());
        } catch (error) {
          sight.failed(client, error instanceof Error ? error.message : String(error));
          isReturn = true;
          await delay(FAILED_PAUSE_MS);
        }
      }
    };
    void go();
  });
}

/**
 * Resolves with the whole body.
 *
 * @param {string} url
 * @param {{ agent: Agent | false, sent?: () => void, take?: (part: string) => void }} how
 * @returns {Promise<string>}
 */
function ask(url, { agent, sent = () => {}, take = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        if (agent !== false) text += part;
        take(part);
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.on('error', reject);
    request.on('finish', sent);
  });
}

/** @type {Open} */
function openStream(client, sight, base) {
  return repeat(client, sight, async (held) => {
    let rest = '';
    await ask(`${base}/stream?ch=${client.channel}&last=${client.last}`, {
      agent: false,
      take: (part) => {
        held();
        const lines = (rest + part).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line.startsWith('data: ')) client.took(line.slice(6));
      },
    });
    return true;
  });
}

/** @type {Open} */
function openPoll(client, sight, base) {
  return repeat(client, sight, async (held) => {
    const text = await ask(`${base}/poll?ch=${client.channel}&last=${client.last}`, { agent: keptAlive, sent: held });
    if (text === '') return true;
    client.took(text);
    return false;
  });
}

/** @type {Open} */
function openSocket(client, sight, base) {
  let token = '';
  const url = `${base.replace('http', 'ws')}/ws?ch=${client.channel}&holdfast-resume=`;
  const once = (/** @type {() => void} */ held) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url + token, { perMessageDeflate: false });
      socket.on('open', held);
      socket.on('error', reject);
      socket.on('close', (code) => (code === 1012 ? resolve(true) : reject(new Error(`closed with ${code}`))));
      socket.on('message', (data) => {
        const text = data.toString();
        if (!text.startsWith('{')) return client.took(text);
        const next = JSON.parse(text)['holdfast-resume'];
        if (next === null) sight.failed(client, 'the history did not have everything');
        else token = next;
      });
    });
  return repeat(client, sight, once, () => SOCKET_PAUSE_MS * (1 + Math.random()));
}

/** @type {Open} */
function openEvents(client, sight, base) {
  return new Promise((resolve) => {
    let asked = 0;
    const source = new EventSource(`${base}/events?ch=${client.channel}`, {
      fetch: (input, init) => {
        if (asked++ > 0) sight.returned();
        return fetch(input, init);
      },
    });
    source.onopen = () => {
      client.isHeld = true;
      resolve();
    };
    source.onmessage = ({ data }) => client.took(data);
    source.onerror = ({ message, code }) => {
      if (message === undefined && source.readyState === EventSource.CONNECTING) sight.ended(client);
      else sight.failed(client, `${code ?? ''} ${message}`);
    };
  });
}

/** @type {Readonly<Record<import('./mix.mjs').Kind, Open>>} */
export const opens = { events: openEvents, ws: openSocket, stream: openStream, poll: openPoll };
