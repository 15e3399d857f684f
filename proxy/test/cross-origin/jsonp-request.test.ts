import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { readJsonp } from '../../dist/cross-origin/jsonp.js';
import type { BodySink, ClientRequest } from '../../dist/edge/port.js';
import { RequestError } from '../../dist/errors.js';
import { defaultJsonp, type JsonpRule } from '../../dist/routes/route.js';

const request = (path: string, over: Partial<ClientRequest> = {}): ClientRequest => ({
  id: 'r1',
  method: 'GET',
  path,
  host: 'app.example',
  version: '1.1',
  headers: ['Host', 'app.example', 'Accept', 'text/html', 'Cookie', 'c', 'X-A', 'client'],
  secure: false,
  clientAddress: '127.0.0.1',
  body: undefined,
  ...over,
});

const jsonpError = (text: string) => new RequestError('ERR_REQUEST_JSONP', text);

const query = (parameters: Readonly<Record<string, string>>) =>
  `/p?${Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;

const read = (path: string, rule: JsonpRule = defaultJsonp) => readJsonp(request(path), rule);

function bodyOf({ body }: ClientRequest): string | undefined {
  if (body === undefined) return undefined;
  let text = '';
  let ended = 0;
  const sink: BodySink = {
    onData: (chunk) => {
      text += chunk;
    },
    onEnd: () => void ended++,
    onAbort: () => {},
  };
  body.read(sink);
  if (ended !== 1 || body.length !== Buffer.byteLength(text)) throw new Error('not a whole body');
  return text;
}

t.test('a GET without the callback parameter is an ordinary request, and so is any other method', async (t) => {
  t.equal(read('/p'), undefined);
  t.equal(read('/p?a=callback'), undefined);
  t.equal(readJsonp(request('/p?callback=f', { method: 'POST' }), defaultJsonp), undefined);
  t.equal(readJsonp(request('/p?callback=f', { method: 'HEAD' }), defaultJsonp), undefined);
});

t.test('the parameters are taken out of the query, and the mark with the last of them', async (t) => {
  for (const [path, left] of [
    ['/p?callback=f', '/p'],
    ['/p?a=1&callback=f&b=%20', '/p?a=1&b=%20'],
    ['/p?callback=f&_method=PUT&_headers=%7B%7D&_body=x&_=5', '/p?_=5'],
    ['/p?c%61llback=f&a', '/p?a'],
    ['/p?a?b&&callback=f', '/p?a?b'],
  ] as const) {
    t.equal(read(path)?.request.path, left, path);
  }
});

t.test('_method, _headers and _body make the request that is meant', async (t) => {
  const headers = JSON.stringify({ 'X-A': 'script', 'Content-Type': 'text/x', 'X-B': 'zoë' });
  const call = read(query({ callback: 'f', _method: 'PATCH', _headers: headers, _body: 'zoë %' }));
  const meant = call?.request as ClientRequest;
  t.equal(meant.method, 'PATCH');
  t.equal(bodyOf(meant), 'zoë %');
  t.strictSame(meant.headers, [
    ...['Host', 'app.example', 'Accept', '*/*', 'Accept-Encoding', 'identity'],
    ...['X-A', 'script', 'Content-Type', 'text/x', 'X-B', Buffer.from('zoë').toString('latin1')],
    ...['Content-Length', '6', 'Cookie', 'c'],
  ]);
});

t.test('without a body there is none', async (t) => {
  const meant = read('/p?callback=f')?.request as ClientRequest;
  t.equal(meant.method, 'GET');
  t.equal(meant.body, undefined);
  t.notOk(meant.headers.includes('Content-Length'));
});

t.test('Host, Accept, codings and lengths are not for the script to say', async (t) => {
  const headers = JSON.stringify({
    host: 'evil',
    ACCEPT: 'x',
    'Accept-Encoding': 'br',
    'Content-Length': '99',
    'X-B': '1',
  });
  const meant = read(query({ callback: 'f', _headers: headers, _body: 'ab' }))?.request as ClientRequest;
  t.strictSame(meant.headers.slice(0, 10), [
    ...['Host', 'app.example', 'Accept', '*/*', 'Accept-Encoding', 'identity'],
    ...['X-B', '1', 'Content-Length', '2'],
  ]);
});

t.test('jsonp_body: the named parameter is the body, of type JSON; _body is an ordinary one then', async (t) => {
  const rule = { ...defaultJsonp, body: 'payload' };
  const meant = read('/p?callback=f&payload=%7B%7D&_body=x', rule)?.request as ClientRequest;
  t.equal(bodyOf(meant), '{}');
  t.equal(meant.path, '/p?_body=x');
  t.strictSame(meant.headers.slice(6, 8), ['Content-Type', 'application/json']);
});

t.test('jsonp_cb and jsonp_defcb: another name, and a callback for who names none', async (t) => {
  const rule = { ...defaultJsonp, callback: 'cb', body: 'payload', defaultCallback: 'dflt', defaultMethod: 'POST' };
  t.equal(read('/p?callback=f', rule), undefined);
  t.equal(read('/p?cb=f', rule)?.callback, 'f');
  t.match(read('/p?payload=x', rule), { callback: 'dflt', request: { method: 'POST', path: '/p' } });
  t.equal(read('/p?x=1', rule), undefined);
  t.equal(read('/p?payload=x', { ...rule, defaultCallback: undefined } as never), undefined);
});

t.test('callbacks: names and paths of names, nothing that would be a script of its own', async (t) => {
  for (const name of ['f', '$', '_a1', 'a.b.c', 'jQuery123_456', 'a[0]', 'a.b[x].c']) {
    t.equal(read(query({ callback: name }))?.callback, name);
  }
  const bad = [
    '',
    '1a',
    'a b',
    'alert(1)',
    'a;b',
    'a.',
    '.a',
    'a[]',
    'a["x"]',
    'a\nb',
    'a/**/',
    '<script>',
    'ä',
    'a-b',
  ];
  for (const name of bad) {
    t.throws(() => read(query({ callback: name })), jsonpError('Invalid callback parameter.'), JSON.stringify(name));
  }
  t.throws(() => read('/p?callback=%zz'), jsonpError('Invalid callback parameter.'));
});

t.test('methods and fields that HTTP does not allow are refused', async (t) => {
  for (const method of ['', 'G T', 'GET /x HTTP/1.1\r\n', 'GÉT']) {
    t.throws(() => read(query({ callback: 'f', _method: method })), jsonpError('Invalid _method parameter.'));
  }
  const headers = ['', '{', '[]', 'null', '"x"', '{"a":1}', '{"a b":"c"}', '{"a":"b\\r\\nc: d"}', '{"a":"\\u0000"}'];
  for (const text of [...headers, '{"":"x"}', '{"a":null}', '{"a":["b"]}']) {
    t.throws(() => read(query({ callback: 'f', _headers: text })), jsonpError('Invalid _headers parameter.'), text);
  }
});

const methodOf = (method: string, rule?: JsonpRule) =>
  read(query({ callback: 'f', _method: method }), rule)?.request.method;

t.test('a method that no script can use, or that the route does not name, is refused', async (t) => {
  for (const method of ['CONNECT', 'TRACE', 'TRACK', 'trace', 'PURGE', 'M-SEARCH']) {
    t.throws(() => methodOf(method), jsonpError('Invalid _method parameter.'), method);
  }
  t.equal(methodOf('delete'), 'DELETE');
  const rule = { ...defaultJsonp, methods: new Set(['GET', 'PURGE']) };
  t.equal(methodOf('PURGE', rule), 'PURGE');
  t.equal(methodOf('purge', rule), 'PURGE');
  t.throws(() => methodOf('POST', rule), jsonpError('Invalid _method parameter.'));
});

/** The fields that reach the origin of those that a script names. */
const fieldsOf = (fields: Readonly<Record<string, string>>, rule?: JsonpRule) => {
  const headers = JSON.stringify(fields);
  const { headers: sent = [] } = read(query({ callback: 'f', _headers: headers }), rule)?.request ?? {};
  return sent.slice(6, -4);
};

t.test('fields that no page may set do not go to the origin, however they are written', async (t) => {
  const forbidden = [
    ...['Accept-Charset', 'Accept-Encoding', 'Access-Control-Request-Headers', 'Access-Control-Request-Method'],
    ...['Connection', 'Content-Length', 'Cookie', 'Cookie2', 'Date', 'DNT', 'Expect', 'Host', 'Keep-Alive', 'Origin'],
    ...[
      'Permissions-Policy',
      'Proxy-Authorization',
      'Proxy-Connection',
      'Referer',
      'Sec-Fetch-Site',
      'Sec-WebSocket-Key',
    ],
    ...['Sec-', 'Set-Cookie', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Via', 'X-HTTP-Method-Override'],
    ...['X-Method-Override', 'X-HTTP-Method', 'Grip-Sig', 'Grip-Hold', 'Meta-User', 'Connection-Id', 'Forwarded'],
    ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Real-IP', 'CDN-Loop', 'Pushpin-Route', 'Pushpin-Check'],
    ...['Content-Bytes-Replayed', 'eb9bf0f5-Cookie', 'True-Client-IP', 'CF-Connecting-IP', 'X-Original-URL'],
  ];
  for (const name of forbidden) {
    for (const form of [name, name.toLowerCase(), name.toUpperCase(), name.replaceAll('-', '_')]) {
      t.strictSame(fieldsOf({ [form]: 'x', 'X-B': '1' }), ['X-B', '1'], form);
    }
  }
  t.strictSame(fieldsOf({ Authorization: 'Bearer x', 'If-None-Match': '"e"' }), [
    ...['Authorization', 'Bearer x', 'If-None-Match', '"e"'],
  ]);
});

t.test('a list of the route leaves only what it names', async (t) => {
  const rule = { ...defaultJsonp, headers: new Set(['x-b', 'content-type']) };
  t.strictSame(fieldsOf({ 'X-C': '1', 'x-b': '2', 'Content-Type': 'a/b' }, rule), ['x-b', '2', 'Content-Type', 'a/b']);
});

t.test('a field has one value, and the type of a body is what its parameter makes it', async (t) => {
  for (const text of ['{"X-B":"1","x-b":"2"}', '{"Content-Type":"a/b","content-type":"c/d"}', '{"a":"\\u0001"}']) {
    t.throws(() => read(query({ callback: 'f', _headers: text })), jsonpError('Invalid _headers parameter.'), text);
  }
  const rule = { ...defaultJsonp, body: 'payload' };
  const headers = JSON.stringify({ 'content-TYPE': 'application/websocket-events' });
  const meant = read(query({ callback: 'f', _headers: headers, payload: '{}' }), rule)?.request.headers ?? [];
  t.strictSame(
    meant.filter((_, i) => meant[i - 1]?.toLowerCase() === 'content-type'),
    ['application/json'],
  );
});

t.test('thousands of parameters, and long names: the work grows no faster than the query', async (t) => {
  const ratio = await growth(500, (size) => {
    const path = `/p?${Array.from({ length: size }, (_, i) => `p${i}=%41`).join('&')}&callback=${'a.b[1].'.repeat(size)}c`;
    return () => t.ok(read(path));
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
  const bad = await growth(5_000, (size) => {
    const path = `/p?callback=${'a.b[1].'.repeat(size)}`;
    return () => t.throws(() => read(path), jsonpError('Invalid callback parameter.'));
  });
  t.ok(bad < LINEAR_MAX, `${bad}`);
});
