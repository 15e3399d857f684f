/** A page sees the same of WebSockets through Holdfast as without it: every event in its order, on both edges. */
import t from 'tap';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { startBrowserOrigin } from './browser-origin.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: WebSockets are not compared in a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

/** A WebSocket of the page. Its events are noted as they come; the code runs in the page. */
interface Case {
  readonly path: string;
  readonly protocols?: readonly string[];
  /** When it is open, with `socket` and `log`. */
  readonly open?: string;
  /** For each message, with `data` and the `count` so far. */
  readonly message?: string;
  /** At once, while it connects. */
  readonly now?: string;
}

/** For a page, until it is said that nothing more came. */
const PATIENCE_MS = 12_000;

const say = `socket.send('x')`;
const closes = (args = '') => `socket.close(${args})`;
const fault = (path: string): Case => ({ path, open: say });
const sends = (value: string, path = '/echo'): Case => ({ path, open: `socket.send(${value})`, message: closes() });

const cases: Readonly<Record<string, Case>> = {
  'a text': sends(`'zwei ✓ 𝒳'`),
  'an empty text': sends(`''`),
  'a text with U+0000': sends(`'a\\0b'`),
  'a text with half a pair': sends(`'a\\ud800b'`),
  'an array buffer': sends(`new Uint8Array([0, 255, 1]).buffer`),
  'an empty array buffer': sends(`new ArrayBuffer(0)`),
  'a view': sends(`new Uint16Array([1, 2, 3]).subarray(1)`),
  'a blob': sends(`new Blob(['a', 'ü'])`),
  'a text of 65,535 bytes': sends(`'x'.repeat(65535)`),
  'a text of 65,536 bytes': sends(`'x'.repeat(65536)`),
  'a binary message of 2 MB': sends(`new Uint8Array(2_000_000)`),
  'ten texts in order': {
    path: '/echo',
    open: `for (let n = 0; n < 10; n++) socket.send(String(n))`,
    message: `if (count === 10) socket.close()`,
  },
  'two thousand texts': { path: '/many' },
  'what is buffered': {
    path: '/echo',
    open: `socket.send('abc'); log.push(socket.bufferedAmount); socket.send(new Uint8Array(5)); log.push(socket.bufferedAmount)`,
    message: `if (count === 2) { log.push(socket.bufferedAmount); socket.close() }`,
  },

  'a protocol that is spoken': { path: '/echo', protocols: ['chat.v1', 'chat.v2'], open: closes() },
  'protocols of which none is spoken': { path: '/without-protocol', protocols: ['chat.v1'] },
  'no protocol': { path: '/without-protocol', message: closes() },
  'a protocol that was not offered': { path: '/protocol-not-offered', protocols: ['chat.v1'] },
  'a key of another': { path: '/wrong-key' },
  'what a handshake says': { path: '/headers', protocols: ['a', 'b'], message: closes() },
  'a path with a query': { path: '/path?a=%20b&c=ü', message: closes() },
  'a slow handshake': { path: '/slow' },
  'a slow handshake that is given up': { path: '/slow', now: closes() },

  'a close without a code': { path: '/echo', open: closes() },
  'a close with 1000': { path: '/echo', open: closes('1000') },
  'a close with 1000 and a reason': { path: '/echo', open: closes(`1000, 'why ✓'`) },
  'a close with 3000': { path: '/echo', open: closes(`3000, 'why'`) },
  'a close with 3999': { path: '/echo', open: closes('3999') },
  'a close with 4000': { path: '/echo', open: closes('4000') },
  'a close with 4999 and a reason': { path: '/echo', open: closes(`4999, 'why'`) },
  'a close with the longest reason': { path: '/echo', open: closes(`4000, 'r'.repeat(123)`) },
  'two closes': { path: '/echo', open: `socket.close(4000, 'first'); socket.close(4001, 'second')` },
  'a close behind a text': { path: '/echo', open: `socket.send('last'); socket.close(4000, 'bye')` },
  'a close behind 200 KB': { path: '/echo', open: `socket.send(new Uint8Array(200000)); socket.close()` },
  'a text behind a close': { path: '/echo', open: `socket.close(); socket.send('lost'); log.push(socket.readyState)` },
  'a close while it connects': { path: '/echo', now: closes() },
  'a close that is answered late': { path: '/late-close', open: closes(`1000, 'soon'`) },
  'a close that is answered by another': { path: '/other-close', open: closes(`4000, 'yours'`) },

  'a close by the server': { path: '/close', open: `socket.send('')` },
  'a close by the server with 1000': { path: '/close', open: `socket.send('1000')` },
  'a close by the server with 1001': { path: '/close', open: `socket.send('1001 away')` },
  'a close by the server with 1011': { path: '/close', open: `socket.send('1011 oh')` },
  'a close by the server with 1013': { path: '/close', open: `socket.send('1013 later')` },
  'a close by the server with 3456': { path: '/close', open: `socket.send('3456 ü')` },
  'a close by the server with 4999': { path: '/close', open: `socket.send('4999 x')` },
  'a close by both': {
    path: '/close',
    open: `socket.send('4001 server'); setTimeout(() => socket.close(4002, 'page'), 50)`,
  },
  'a greeting': { path: '/greets', message: closes() },
  'a greeting and a close': { path: '/greets-and-closes' },
  'all in one write with the handshake': { path: '/in-one-write' },
  'a message in fragments': { path: '/fragments', message: `if (count === 2) socket.close()` },
  'a ping of the server': { path: '/pings', message: closes() },
  'cookies of a handshake': { path: '/cookies' },

  'an end without a close': fault('/drops'),
  'a text and an end without a close': fault('/ends'),
  'an empty close frame': fault('/close-empty'),

  'an answer 200': { path: '/200' },
  'an answer 302': { path: '/302' },
  'an answer 401': { path: '/401' },
  'an answer 403': { path: '/403' },
  'an answer 503': { path: '/503' },
  'no answer': { path: '/nothing' },
};

/** Faults of a server. The browser names them in an `error` event; through Holdfast the connection is lost, with the same code. */
const faults: Readonly<Record<string, string>> = {
  'a frame with a mask': '/masked',
  'a frame with a reserved bit': '/reserved-bit',
  'a frame with a reserved opcode': '/reserved-opcode',
  'a frame with a reserved control opcode': '/reserved-control',
  'bad UTF-8': '/utf8',
  'cut UTF-8': '/cut-utf8',
  'a long ping': '/long-ping',
  'a ping in fragments': '/fragmented-ping',
  'a text within a text': '/text-within-text',
  'a continuation of nothing': '/continues-nothing',
  'a close of one byte': '/close-of-one-byte',
  'a close frame with 1005': '/close-1005',
  'a close frame with 1006': '/close-1006',
  'a close frame with 999': '/close-999',
  'a close frame with a bad reason': '/close-bad-reason',
};

const script = ({ path, protocols = [], open = '', message = '', now = '' }: Case) => `new Promise((resolve) => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + ${JSON.stringify(path)}, ${JSON.stringify(protocols)});
  socket.binaryType = 'arraybuffer';
  const log = [];
  let count = 0;
  socket.onopen = () => { log.push(['open', socket.protocol, socket.extensions]); ${open} };
  socket.onmessage = ({ data }) => {
    count++;
    const isText = typeof data === 'string';
    const size = isText ? data.length : data.byteLength;
    if (count < 20) log.push([isText ? 'text' : 'binary', size, size > 500 ? '' : isText ? data : String(new Uint8Array(data))]);
    ${message}
  };
  socket.onerror = () => log.push(['error', socket.readyState]);
  socket.onclose = ({ code, reason, wasClean }) => {
    log.push(['close', code, reason, wasClean, socket.bufferedAmount, count, document.cookie]);
    setTimeout(() => resolve(JSON.stringify(log)), 20);
  };
  setTimeout(() => { log.push('still there'); resolve(JSON.stringify(log)); }, ${PATIENCE_MS});
  ${now}
})`;

const LOST_CLOSE = '[["open","",""],["close",1005,"",true,0,0,""]]';

/** What the page sees otherwise on the uws edge: its library answers a Close at once, and hides codes from 3000 to 3999. */
const differences: Readonly<Record<string, string>> = {
  'a close with 3000': LOST_CLOSE,
  'a close with 3999': LOST_CLOSE,
  'a close that is answered late': '[["open","",""],["close",1000,"soon",true,0,0,""]]',
  'a close that is answered by another': '[["open","",""],["close",4000,"yours",true,0,0,""]]',
};

t.test('a page sees the same of WebSockets as without Holdfast', async (t) => {
  const browser = await Chromium.start(t);
  const port = await startBrowserOrigin(t);
  const direct = await browser.open(`http://127.0.0.1:${port}/`);
  const pages = new Map<string, Page>();
  for (const edge of ['node', 'uws']) {
    const { clients } = await startHoldfast(t, { settings: { edge }, routes: [`* 127.0.0.1:${port}`] });
    pages.set(edge, await browser.open(`${clients}/`));
  }
  const inPages = (one: Case) =>
    Promise.all([...pages].map(async ([edge, page]) => [edge, await page.evaluate<string>(script(one))] as const));

  for (const [name, one] of Object.entries(cases)) {
    const [wanted, seen] = await Promise.all([direct.evaluate<string>(script(one)), inPages(one)]);
    for (const [edge, log] of seen) {
      t.equal(log, (edge === 'uws' ? differences[name] : undefined) ?? wanted, `${name}, ${edge} edge`);
    }
  }
  for (const [name, path] of Object.entries(faults)) {
    for (const [edge, log] of await inPages(fault(path))) {
      t.match(log, '["text",6,"before"],["close",1006,"",false,0,1,', `${name}, ${edge} edge`);
    }
  }
});
