/** The kinds of clients that the page can be: each says what it sends (→), gets (←), and how it ends. */
import { eachLine } from '../api.js';
import { pause } from '../poll.js';

/** Between two long polls, in ms, where the answers come at once. */
const POLL_PAUSE_MS = 200;

/**
 * `open` goes on until `signal` aborts, and never throws.
 *
 * @typedef {object} ClientKind
 * @property {string} id
 * @property {string} title
 * @property {string} path  as the example application has it
 * @property {(url: string, signal: AbortSignal, log: (text: string) => void) => unknown} open
 */

/** @type {readonly ClientKind[]} */
export const clientKinds = [
  { id: 'stream', title: 'stream', path: '/stream', open: stream },
  { id: 'events', title: 'EventSource', path: '/events', open: events },
  { id: 'poll', title: 'long poll', path: '/poll', open: poll },
  { id: 'socket', title: 'WebSocket', path: '/socket', open: socket },
];

/** @param {string} url @param {AbortSignal} signal @param {(text: string) => void} log */
async function stream(url, signal, log) {
  try {
    const response = await fetch(url, { signal, cache: 'no-store' });
    log(`← ${response.status} ${response.headers.get('content-type') ?? ''}`);
    // An event ends with an empty line, which says nothing here.
    await eachLine(response, (line) => line !== '' && log(line));
    log('← end');
  } catch (error) {
    log(endOf(error, signal));
  }
}

/** @param {string} url @param {AbortSignal} signal @param {(text: string) => void} log */
function events(url, signal, log) {
  const source = new EventSource(url);
  source.onopen = () => log('← open');
  source.onerror = () =>
    log(
      source.readyState === EventSource.CLOSED
        ? '← refused, or not readable for this page'
        : '← broken off; it comes back',
    );
  source.onmessage = ({ data, lastEventId }) => log(`${lastEventId === '' ? '' : `[${lastEventId}] `}${data}`);
  signal.addEventListener('abort', () => {
    source.close();
    log('→ closed');
  });
}

/** @param {string} url @param {AbortSignal} signal @param {(text: string) => void} log */
async function poll(url, signal, log) {
  while (!signal.aborted) {
    try {
      log('→ ask');
      const response = await fetch(url, { signal, cache: 'no-store' });
      log(`← ${response.status} ${(await response.text()).trimEnd()}`);
      if (!response.ok) return;
      await pause(POLL_PAUSE_MS, signal);
    } catch (error) {
      return log(endOf(error, signal));
    }
  }
}

/** @param {string} url @param {AbortSignal} signal @param {(text: string) => void} log */
function socket(url, signal, log) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  socket.onopen = () => log('← open');
  socket.onmessage = ({ data }) => log(typeof data === 'string' ? data : `← ${data.size} bytes`);
  socket.onclose = ({ code, reason }) => log(`← closed ${code} ${reason}`);
  signal.addEventListener('abort', () => socket.close());
}

/** @param {unknown} error @param {AbortSignal} signal */
function endOf(error, signal) {
  if (signal.aborted) return '→ closed';
  return `← failed: ${/** @type {Error} */ (error).message}. The console of the browser says whether another site may not read it.`;
}
