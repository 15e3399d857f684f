/**
 * Thousands of stream clients in a process of their own, as `node fan-out-clients.js URL CLIENTS ITEMS BYTES`. Prints
 * `open N` for each step of the opening, `all open` when all streams are open, `item N AT` when the last client has
 * item N (AT in ms since the Unix epoch), and `end {"…"}` when all streams have ended.
 */
import { get } from 'node:http';
import { fanOutItem, OPEN_STEP } from './fan-out-item.js';

const [url = '', clientsText, itemsText, bytesText] = process.argv.slice(2);
const [clients, items, bytes] = [clientsText, itemsText, bytesText].map(Number) as [number, number, number];
/** Requests at a time while the streams open. */
const OPENING = 100;
const OPENED = 'opened\n';

/** The bodies that every client must get. */
const expected = Buffer.from(OPENED + Array.from({ length: items }, (_, n) => fanOutItem(n, bytes)).join(''));
const arrived = new Array<number>(items).fill(0);
const result = { complete: 0, wrong: 0, short: 0, broken: 0 };
let started = 0;
let opened = 0;
let ended = 0;

/** One client: compares what it gets with what it must get, byte by byte. */
function startOne(): void {
  started++;
  let position = 0;
  let wrong = false;
  const request = get(url, { agent: false }, (message) => {
    message.on('data', (chunk: Buffer) => {
      const before = itemsBy(position);
      wrong ||= expected.compare(chunk, 0, chunk.length, position, position + chunk.length) !== 0;
      if (position < OPENED.length && position + chunk.length >= OPENED.length) isOpen();
      position += chunk.length;
      for (let n = before; n < itemsBy(position); n++) count(n);
    });
    message.on('error', () => {});
    message.on('close', () => {
      if (wrong) result.wrong++;
      else if (!message.complete) result.broken++;
      else if (position < expected.length) result.short++;
      else result.complete++;
      if (++ended === clients) console.log(`end ${JSON.stringify(result)}`);
    });
  });
  request.on('error', (error) => {
    console.error(`a request failed: ${error.message}`);
    process.exit(1);
  });
}

/** How many whole items lie before a place in the body. */
const itemsBy = (position: number) => Math.max(0, Math.floor((position - OPENED.length) / bytes));

function isOpen(): void {
  if (++opened % OPEN_STEP === 0) console.log(`open ${opened}`);
  if (opened === clients) console.log('all open');
  if (started < clients) startOne();
}

function count(n: number): void {
  const soFar = (arrived[n] ?? 0) + 1;
  arrived[n] = soFar;
  if (soFar === clients) console.log(`item ${n} ${Date.now()}`);
}

for (let i = 0; i < Math.min(OPENING, clients); i++) startOne();
