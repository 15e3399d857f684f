/** Trailers, for clients that say that they take them. */
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { exchange } from '../../kit/clients/raw-request.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { pathFor, startBytesOrigin } from '../../kit/origins/bytes-origin.js';

const request = (path: string, fields: readonly string[], body = '') =>
  [`${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1`, 'Host: a', 'Connection: close', ...fields, '', body].join(
    '\r\n',
  );

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';
const TRAILERS = 'X-Sum: abc\r\nContent-Encoding: gzip\r\nGrip-Hold: stream\r\nSet-Cookie: a=b\r\nX-Other: \xe9\r\n';
const ANSWER = `${CHUNKED}Trailer: X-Sum, Content-Length\r\nTrailer: X-Other\r\n\r\n5\r\nhello\r\n0\r\n${TRAILERS}\r\n`;

/** Fields of an answer's head in lower case, and all of it behind that. */
function parts(received: string): [fields: string[], rest: string] {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  return [head.toLowerCase().split('\r\n').slice(1), rest.join('\r\n\r\n')];
}

t.test('of an answer: behind its body, those that may be there, and announced as the origin did', async (t) => {
  const target = await startBytesOrigin(t);
  const { clients } = await startHoldfast(t, { routes: ['*', '*,path_beg=/a,aco'].map((line) => `${line} ${target}`) });
  const path = pathFor(ANSWER);
  for (const te of ['TE: trailers', 'te: gzip, trailers']) {
    const [fields, rest] = parts(await exchange(t, clients, request(path, [te])));
    t.ok(fields.includes('trailer: x-sum, x-other'));
    t.equal(rest, '5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-Other: \xe9\r\n\r\n');
  }
  for (const te of ['TE: gzip', 'X: trailers']) {
    const [fields, rest] = parts(await exchange(t, clients, request(path, [te])));
    t.notMatch(fields.join('\n'), /trailer/);
    t.equal(rest, '5\r\nhello\r\n0\r\n\r\n', 'a client that does not take them gets none');
  }
  const old = await exchange(t, clients, request(path, ['TE: trailers']).replace('HTTP/1.1', 'HTTP/1.0'));
  t.equal(parts(old)[1], 'hello', 'nor does one of HTTP/1.0');
  const empty = pathFor(`${CHUNKED}\r\n0\r\nX-Sum: abc\r\n\r\n`);
  t.equal(parts(await exchange(t, clients, request(empty, ['TE: trailers'])))[1], '0\r\nX-Sum: abc\r\n\r\n');
  const sized = pathFor('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTrailer: X-Sum\r\n\r\nhello');
  const [fields, rest] = parts(await exchange(t, clients, request(sized, ['TE: trailers'])));
  t.strictSame(
    [fields.some((field) => field.startsWith('trailer')), rest],
    [false, 'hello'],
    'nor is there room elsewhere',
  );
});

t.test('of a request: behind its chunks, to an origin that hears that the client takes them', async (t) => {
  const bodies: string[] = [];
  const tes: (string | undefined)[] = [];
  const server = createServer((socket) => {
    let text = '';
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (more) => {
      text += more;
      const end = text.indexOf('\r\n\r\n') + 4;
      if (end < 4 || !/\r\n0\r\n(.+\r\n)*\r\n$/.test(text.slice(end - 2))) return;
      tes.push(/^te: (.*)\r$/im.exec(text)?.[1]);
      bodies.push(text.slice(end));
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { clients } = await startHoldfast(t, { routes: [`* 127.0.0.1:${(server.address() as AddressInfo).port}`] });
  const ask = async (te: string, body: string) => {
    const received = await exchange(t, clients, request('/', ['Transfer-Encoding: chunked', te], body));
    t.match(received, /^HTTP\/1\.1 200 /);
    return [tes.pop(), bodies.pop()];
  };
  const sent = `5\r\nhello\r\n0\r\n${TRAILERS}\r\n`;
  const passed = '0\r\nX-Sum: abc\r\nX-Other: \xe9\r\n\r\n';
  t.strictSame(await ask('TE: trailers', sent), ['trailers', `5\r\nhello\r\n${passed}`]);
  t.strictSame(await ask('TE: trailers', '5\r\nhello\r\n0\r\n\r\n'), ['trailers', '5\r\nhello\r\n0\r\n\r\n']);
  t.strictSame(await ask('TE: gzip', sent), [undefined, '5\r\nhello\r\n0\r\n\r\n'], 'only where it says so');
});

t.test('with edge: uws no trailers are asked for', async (t) => {
  const target = await startBytesOrigin(t);
  const { clients } = await startHoldfast(t, { settings: { edge: 'uws' }, routes: [`* ${target}`] });
  const [fields, rest] = parts(await exchange(t, clients, request(pathFor(ANSWER), ['TE: trailers'])));
  t.notMatch(fields.join('\n'), /trailer/);
  t.equal(rest, '5\r\nhello\r\n0\r\n\r\n');
});
