import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { WholeReader } from '../../dist/http/whole-requests.js';

const HEAD_MAX = 500;
const reader = new WholeReader(['/publish/', '/publish'], HEAD_MAX, 1_000);
const read = (text: string) => reader.read(Buffer.from(text, 'latin1'));

const head = (...fields: string[]) =>
  `POST /publish/ HTTP/1.1\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

t.test('a request is read with the length of what it takes', async (t) => {
  const text = `${head('Host: a', 'X-Y:  b c ', 'Empty:', 'Content-Length: 3', 'Connection: Keep-Alive')}xyz`;
  const whole = read(`${text}POST`);
  if (typeof whole === 'string') throw new Error(whole);
  t.equal(whole.length, text.length);
  const { body, ...request } = whole.request;
  t.equal(body.toString(), 'xyz');
  t.strictSame(request, {
    method: 'POST',
    url: '/publish/',
    headers: { host: 'a', 'x-y': 'b c', empty: '', 'content-length': '3', connection: 'Keep-Alive' },
    rawHeaders: ['Host', 'a', 'X-Y', 'b c', 'Empty', '', 'Content-Length', '3', 'Connection', 'Keep-Alive'],
  });
  t.match(read('POST /publish HTTP/1.1\r\nContent-Length: 0\r\n\r\n'), { request: { url: '/publish' } });
});

t.test('any beginning of one is a part of one', async (t) => {
  const text = `${head('Host: a', 'Content-Length: 3')}xyz`;
  for (let length = 1; length < text.length; length++) t.equal(read(text.slice(0, length)), 'partial', String(length));
});

const others: Readonly<Record<string, string>> = {
  'another method': 'PUT /publish/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'a method in lower case': 'post /publish/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'another path': 'POST /recover/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'a query': 'POST /publish/?x HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'an absolute target': 'POST http://a/publish/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.0': 'POST /publish/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n',
  'two spaces': 'POST  /publish/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'lines that end in LF alone': 'POST /publish/ HTTP/1.1\nContent-Length: 0\n\n',
  'one line that does': `POST /publish/ HTTP/1.1\r\nX: y\nContent-Length: 0\r\n\r\n`,
  'a line feed before it': `\r\n${head('Content-Length: 0')}`,
  'no length': head('Host: a'),
  'two lengths': head('Content-Length: 0', 'Content-Length: 0'),
  'two lengths in two cases': head('Content-Length: 0', 'content-length: 1'),
  'a list of lengths': head('Content-Length: 0, 0'),
  'a length with a sign': head('Content-Length: +0'),
  'a length in hexadecimal': head('Content-Length: 0x1'),
  'a length that is empty': head('Content-Length:'),
  'a length beyond numbers': head(`Content-Length: ${'9'.repeat(30)}`),
  chunks: head('Transfer-Encoding: chunked'),
  'chunks and a length': head('Content-Length: 0', 'Transfer-Encoding: chunked'),
  'chunks under a name with a space': head('Content-Length: 0', 'Transfer-Encoding : chunked'),
  'a length under a name with a space': head('Content-Length : 0'),
  'a folded field': head('X: a', ' b', 'Content-Length: 0'),
  'a field without a colon': head('X', 'Content-Length: 0'),
  'a field without a name': head(': x', 'Content-Length: 0'),
  'a space before a name': head(' Content-Length: 0'),
  'NUL in a value': head('X: a\0b', 'Content-Length: 0'),
  'a carriage return in a value': head('X: a\rb', 'Content-Length: 0'),
  'a byte above ASCII': head('X: \xe4', 'Content-Length: 0'),
  'a field twice': head('X: a', 'x: b', 'Content-Length: 0'),
  'an expectation': head('Expect: 100-continue', 'Content-Length: 0'),
  'an upgrade': head('Upgrade: h2c', 'Content-Length: 0'),
  'a connection that closes': head('Connection: close', 'Content-Length: 0'),
  'a coding': head('Content-Encoding: gzip', 'Content-Length: 0'),
  'a preference': head('Prefer: wait=1', 'Content-Length: 0'),
  'a query string': head('Content-Length: 0').replace('/publish/', '/publish/?reach=1'),
  'an origin': head('Origin: http://a', 'Content-Length: 0'),
  'the name of all prototypes': head('__proto__: x', 'Content-Length: 0'),
  'a head that is too long': head(`X: ${'y'.repeat(HEAD_MAX)}`, 'Content-Length: 0'),
  'the beginning of one': head(`X: ${'y'.repeat(HEAD_MAX)}`, 'Content-Length: 0').slice(0, HEAD_MAX),
  'more than is waited for': head('Content-Length: 1000'),
};

for (const [what, text] of Object.entries(others)) {
  t.test(`not read: ${what}`, async (t) => {
    t.equal(read(text), 'other');
  });
}

t.test('what is read is what the parser of node reads', async (t) => {
  const requests: IncomingMessage[] = [];
  const bodies: string[] = [];
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    requests.push(request);
    let body = '';
    request.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  /** What node makes of these bytes, and of nothing after them. */
  const byNode = (bytes: Buffer) =>
    new Promise<{ request: IncomingMessage | undefined; body: string | undefined; count: number }>((resolve) => {
      requests.length = 0;
      bodies.length = 0;
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
      socket.resume().on('error', () => {});
      socket.on('close', () => resolve({ request: requests[0], body: bodies[0], count: requests.length }));
    });
  const odd = fc.constantFrom(...'\r\n\t :\0\x7f\xe4,;"aZ0-_');
  const name = fc.oneof(
    fc.constantFrom('Host', 'Accept', 'X', 'content-length', 'Connection', 'X-API-Key', '__proto__', 'constructor'),
    fc.string({ unit: odd, minLength: 1, maxLength: 5 }),
  );
  const value = fc.oneof(
    fc.constantFrom('0', '3', 'a b', 'keep-alive', '', ' x '),
    fc.string({ unit: odd, maxLength: 8 }),
  );
  const fields = fc.array(
    fc.tuple(name, fc.constantFrom(':', ': ', ':\t', ' : '), value, fc.constantFrom('\r\n', '\r\n', '\r\n', '\n')),
    { maxLength: 5 },
  );
  const body = fc.string({ unit: odd, maxLength: 6 });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fields, body, fc.nat({ max: 6 }), async (fields, body, length) => {
      const lines = fields.map((parts) => parts.join('')).join('');
      const text = `POST /publish/ HTTP/1.1\r\n${lines}Content-Length: ${length}\r\n\r\n${body}`;
      const whole = read(text);
      if (typeof whole === 'string') return;
      taken++;
      const { request, body: seen } = await byNode(Buffer.from(text, 'latin1').subarray(0, whole.length));
      t.strictSame(
        { headers: { ...request?.headers }, rawHeaders: request?.rawHeaders, body: seen },
        {
          headers: { ...whole.request.headers },
          rawHeaders: whole.request.rawHeaders,
          body: whole.request.body.toString('latin1'),
        },
        JSON.stringify(text),
      );
    }),
    { numRuns: 3_000 },
  );
  t.ok(taken > 100, `${taken} were read`);
});
