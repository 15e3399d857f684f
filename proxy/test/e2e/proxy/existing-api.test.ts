/** An API that knows nothing of Holdfast gives the same answers through it as directly, on both edges. */
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { startHoldfast } from '../../kit/holdfast.js';
import { startApi } from './existing-api.js';

/** One request; `headers` in the order in which they are sent. */
interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer | string;
}

/** An answer, as far as time and the connection do not show in it. */
interface Answer {
  readonly status: number | undefined;
  readonly reason: string | undefined;
  /** In order, but for Content-Length, which is framing: its place is not the API's. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** Of one connection or one moment, and so not the API's. */
const OF_THE_HOP = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding']);

const form = (boundary: string): string =>
  [
    `--${boundary}`,
    'Content-Disposition: form-data; name="file"; filename="a.txt"',
    'Content-Type: text/plain',
    '',
    'text of the file',
    `--${boundary}--`,
    '',
  ].join('\r\n');

const large = Buffer.alloc(1_000_000, 'upload ');

const requests: Readonly<Record<string, Asked>> = {
  'an object': { path: '/row/3' },
  'an object, asked for without its body': { method: 'HEAD', path: '/row/3' },
  'a list, plain': { path: '/rows' },
  'a list in gzip': { path: '/rows', headers: { 'Accept-Encoding': 'gzip' } },
  'a list in the best coding there is': { path: '/rows', headers: { 'Accept-Encoding': 'gzip, deflate, br' } },
  'a list in a coding that is refused': { path: '/rows', headers: { 'Accept-Encoding': 'gzip;q=0, identity' } },
  'a list, asked for without its body, in gzip': {
    method: 'HEAD',
    path: '/rows',
    headers: { 'Accept-Encoding': 'gzip' },
  },
  'a query': { path: '/echo?a=1&b=%20%2f&a=2&c[d]=%C3%A9&empty=' },
  'an odd path': { path: '/no//such/../%2e%2e/p%61th;v=1' },
  'what the client says of itself': {
    path: '/agent',
    headers: { Accept: 'text/html;q=0.5, */*', 'Accept-Encoding': 'br;q=1.0, gzip;q=0.2', 'User-Agent': 'test (a; b)' },
  },
  cookies: { path: '/login' },
  'cookies that come back': { path: '/who', headers: { Cookie: 'session=abc; theme=dark%20mode' } },
  'a redirect': { path: '/old' },
  'a redirect for good': { path: '/moved' },
  'a question for credentials': { path: '/private' },
  'credentials that are not asked for': { path: '/row/1', headers: { Authorization: 'Bearer x.y.z' } },
  'no content': { path: '/empty' },
  'a status of its own': { path: '/teapot' },
  'an error': { path: '/broken' },
  'what is not there': { path: '/nowhere' },
  'a reason phrase': { path: '/reason' },
  'odd header fields': { path: '/heads' },
  'a body in pieces': { path: '/pieces' },
  'what is allowed': { method: 'OPTIONS', path: '/row/1' },
  'a file': { path: '/files/page.html' },
  'a file in brotli': { path: '/files/page.html', headers: { 'Accept-Encoding': 'br' } },
  'a range of a file': { path: '/files/data.bin', headers: { Range: 'bytes=100-1099' } },
  'the end of a file': { path: '/files/data.bin', headers: { Range: 'bytes=-500' } },
  'two ranges of a file': { path: '/files/data.bin', headers: { Range: 'bytes=0-9,20-29' } },
  'a range that is not there': { path: '/files/data.bin', headers: { Range: 'bytes=60000-' } },
  'a file that the client has': { path: '/files/data.bin', headers: { 'If-None-Match': '*' } },
  'a file that has changed': { path: '/files/data.bin', headers: { 'If-Match': '"none"' } },
  'a download with a name': { path: '/download' },
  'JSON that is posted': {
    method: 'POST',
    path: '/json',
    headers: { 'Content-Type': 'application/json' },
    body: '{"a":[1,2,{"b":"\u00e9"}]}',
  },
  'JSON that is broken': {
    method: 'POST',
    path: '/json',
    headers: { 'Content-Type': 'application/json' },
    body: '{"a":',
  },
  'JSON in gzip': {
    method: 'POST',
    path: '/json',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    body: gzipSync('{"zipped":true}'),
  },
  'a form': {
    method: 'POST',
    path: '/form',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'a=1&b=two+words&c[d]=%C3%A9',
  },
  'a file in a form': {
    method: 'POST',
    path: '/upload',
    headers: { 'Content-Type': 'multipart/form-data; boundary=xyz' },
    body: form('xyz'),
  },
  'a large upload': {
    method: 'PUT',
    path: '/upload',
    headers: { 'Content-Type': 'application/octet-stream', Expect: '100-continue' },
    body: large,
  },
  'an upload that is too large': { method: 'POST', path: '/upload', body: Buffer.alloc(3_000_000) },
  'a deletion with a body': { method: 'DELETE', path: '/upload', body: 'why' },
};

function ask(base: string, { method = 'GET', path, headers, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const options = { method, path, agent: false, headers: { Host: 'api.example', ...headers, ...length } };
    const request = httpRequest(base, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status, statusMessage: reason, rawHeaders } = response;
        const fields: string[] = [];
        for (let i = 0; i < rawHeaders.length; i += 2) {
          const name = rawHeaders[i] as string;
          if (!OF_THE_HOP.has(name.toLowerCase())) fields.push(`${name}: ${rawHeaders[i + 1]}`);
        }
        const length = fields.findIndex((field) => field.startsWith('Content-Length: '));
        if (length >= 0) fields.push(...fields.splice(length, 1));
        resolve({ status, reason, fields, body: Buffer.concat(chunks).toString('latin1') });
      });
    });
    request.on('error', reject);
    if (request.getHeader('Expect') === undefined) request.end(body);
    else request.on('continue', () => request.end(body));
  });
}

/** What a client of the WebSocket sees, from its opening to its end. */
function converse(base: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const seen: string[] = [];
    const socket = new WebSocket(`${base.replace('http', 'ws')}/socket?room=1`, ['echo.v1', 'other']);
    socket.on('error', reject);
    socket.on('open', () => {
      seen.push(`protocol ${socket.protocol}`);
      socket.send('text \u00e9');
      socket.send(Buffer.from([0, 1, 255]));
      socket.send('bye');
    });
    socket.on('message', (data, isBinary) =>
      seen.push(`${isBinary ? 'binary' : 'text'} ${Buffer.from(data as Buffer).toString('hex')}`),
    );
    socket.on('close', (code, reason) => resolve([...seen, `closed ${code} ${reason}`]));
  });
}

for (const edge of ['node', 'uws']) {
  t.test(`an API behind Holdfast answers as it does alone: ${edge} edge`, async (t: Test) => {
    const target = await startApi(t);
    const holdfast = await startHoldfast(t, { routes: [`* ${target}`], settings: { edge } });
    const [direct, behind] = [`http://${target}`, holdfast.clients];
    for (const [what, asked] of Object.entries(requests)) {
      await t.test(what, async (t) => {
        t.strictSame(await ask(behind, asked), await ask(direct, asked));
      });
    }
    await t.test('its event stream, from where the client was', async (t) => {
      const asked = { path: '/events', headers: { Accept: 'text/event-stream', 'Last-Event-ID': '10' } };
      t.strictSame(await ask(behind, asked), await ask(direct, asked));
      const zipped = { ...asked, headers: { ...asked.headers, 'Accept-Encoding': 'gzip' } };
      t.strictSame(await ask(behind, zipped), await ask(direct, zipped));
    });
    await t.test('its WebSocket', async (t) => {
      t.strictSame(await converse(behind), await converse(direct));
    });
  });
}
