/**
 * Thousands of WebSocket clients in a process of their own, as `node idle-clients.js URL CLIENTS`. Prints `open N`
 * after each five hundred, `all open` when all are, `item TEXT AT` when every client has received that text (AT in ms
 * since the Unix epoch), and `end {"…"}` when all have been closed: how many were closed with 1000, and how many messages came in all.
 */
import WebSocket from 'ws';

const [url = '', clientsText] = process.argv.slice(2);
const clients = Number(clientsText);
/** Handshakes at a time. */
const OPENING = 100;

const arrived = new Map<string, number>();
const result = { closed: 0, otherwise: 0, messages: 0 };
let started = 0;
let opened = 0;

/** One client: it never sends anything. */
function startOne(): void {
  started++;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('open', isOpen);
  socket.on('message', (data) => count(data.toString()));
  socket.on('error', (error) => {
    console.error(`a client failed: ${error.message}`);
    process.exit(1);
  });
  socket.on('close', (code) => {
    if (code === 1000) result.closed++;
    else result.otherwise++;
    if (result.closed + result.otherwise === clients) console.log(`end ${JSON.stringify(result)}`);
  });
}

function isOpen(): void {
  if (++opened % 500 === 0) console.log(`open ${opened}`);
  if (opened === clients) console.log('all open');
  if (started < clients) startOne();
}

function count(text: string): void {
  result.messages++;
  const soFar = (arrived.get(text) ?? 0) + 1;
  arrived.set(text, soFar);
  if (soFar === clients) console.log(`item ${text} ${Date.now()}`);
}

for (let i = 0; i < Math.min(OPENING, clients); i++) startOne();
