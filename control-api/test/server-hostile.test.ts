/** Requests as nobody means well sends them: each is answered, none is the last. */
import t from 'tap';
import { type FixtureOptions, publishBody, startControl } from './control-fixture.js';
import { requestBytes } from './raw-client.js';

const HOST = 'Host: localhost\r\n';
const head = (line: string, fields = '') => `${line} HTTP/1.1\r\n${HOST}${fields}\r\n`;
const post = (body: string, fields: Record<string, string> = {}) => requestBytes('POST', '/publish/', fields, body);
const EMPTY = '{"items":[]}';
const chunked = (body: string, path = '/publish/') => head(`POST ${path}`, 'Transfer-Encoding: chunked\r\n') + body;

/** By what they are, the bytes and the status of the answer. */
const requests: Readonly<Record<string, readonly [bytes: string | Buffer, status: number]>> = {
  'a path of two slashes': [head('GET //'), 404],
  'a path of three slashes': [head('GET ///'), 404],
  'a slash too many': [`${head('POST /publish//', 'Content-Length: 0\r\n')}`, 404],
  'a path that is no UTF-8': [head('GET /%ff'), 404],
  'half an escape': [head('GET /%'), 404],
  'an absolute target': [head('GET http://localhost/'), 404],
  'an absolute target elsewhere': [head('POST http://evil.test/publish/', 'Content-Length: 0\r\n'), 404],
  'OPTIONS *': [head('OPTIONS *'), 404],
  'no target at all': [head('GET '), 400],
  'HTTP/1.0': ['GET / HTTP/1.0\r\n\r\n', 200],
  'HTTP/1.0 that would stay': ['GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 200],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  'lines that end in LF alone': ['GET / HTTP/1.1\nHost: localhost\n\n', 400],
  'NUL in a field': [head('GET /', 'X: a\0b\r\n'), 400],
  'a folded field': [head('GET /', 'X: a\r\n b\r\n'), 400],
  'chunks with extensions': [chunked(`c;a=b;q="x"\r\n${EMPTY}\r\n0;x\r\n\r\n`), 200],
  'an extension that is too long': [chunked(`c;${'a'.repeat(20_000)}\r\n${EMPTY}\r\n0\r\n\r\n`), 413],
  trailers: [chunked(`c\r\n${EMPTY}\r\n0\r\nX: y\r\n\r\n`), 200],
  'a trailer that is too long': [chunked(`c\r\n${EMPTY}\r\n0\r\nX: ${'y'.repeat(30_000)}\r\n\r\n`), 431],
  'an unknown Transfer-Encoding': [head('POST /publish/', 'Transfer-Encoding: x\r\n'), 400],
  'a length beyond numbers': [head('POST /publish/', `Content-Length: ${'9'.repeat(30)}\r\n`), 400],
  'a length with a sign': [head('POST /publish/', 'Content-Length: +5\r\n'), 400],
  'a list of lengths': [`${head('POST /publish/', 'Content-Length: 5, 5\r\n')}hello`, 400],
  'an unknown expectation': [post(EMPTY, { Expect: '200-ok' }), 417],
  'thousands of fields': [head('GET /', 'a:b\r\n'.repeat(1_900)), 200],
  CONNECT: [head('CONNECT evil.test:443'), 405],
  'an upgrade to WebSocket': [head('GET /', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), 200],
  'an upgrade to h2c': [
    head('GET /', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n'),
    200,
  ],
  'an Accept of nothing but separators': [head('GET /', `Accept: ${',;'.repeat(2_000)}\r\n`), 200],
  'a form': [post('items=x', { 'Content-Type': 'application/x-www-form-urlencoded' }), 400],
  'bytes that are no UTF-8': [
    Buffer.concat([Buffer.from(head('POST /publish/', 'Content-Length: 2\r\n')), Buffer.of(0xff, 0xfe)]),
    400,
  ],
  'a body of nothing': [post(''), 400],
  'JSON that is no object': [post('null'), 400],
  'items that are none': [post('{"items":{}}'), 400],
  'items in items': [post('{"items":[[]]}'), 400],
  'a key twice': [post('{"items":[null],"items":[]}'), 200],
  '__proto__ in place of items': [post('{"__proto__":{"items":[]}}'), 400],
  '__proto__ everywhere': [
    post(
      '{"__proto__":{"a":1},"items":[{"channel":"__proto__","id":"constructor","meta":{"__proto__":"x"},"formats":{"__proto__":{"content":"x"},"constructor":{},"http-stream":{"content":"x","__proto__":null}}}]}',
    ),
    200,
  ],
  'half a surrogate': [
    post('{"items":[{"channel":"\\ud800","http-stream":{"content":"\\udfff"}}]}', { Accept: 'application/json' }),
    200,
  ],
  'a number beyond numbers': [post('{"items":[{"channel":"a","http-response":{"code":1e999,"body":"x"}}]}'), 400],
};

for (const [what, [bytes, status]] of Object.entries(requests)) {
  t.test(`${what}: ${status}`, async (t) => {
    const { client, ask, log } = await startControl(t);
    const connection = await client();
    await connection.write(bytes);
    t.match(await connection.answer(), { status });
    t.match(await ask('POST', '/publish/', {}, publishBody(['a', '1'])), { status: 200 }, 'the next one is served');
    t.strictSame(log.at('error'), []);
    t.equal(Object.hasOwn(Object.prototype, 'a'), false);
  });
}

t.test('every member of an item with every type is published or refused, and never a fault of ours', async (t) => {
  const { client, log } = await startControl(t);
  const formats = {
    'http-response': { code: 200, reason: 'OK', headers: { a: 'b' }, body: 'x' },
    'http-stream': { content: 'x' },
    'ws-message': { content: 'x' },
  };
  const members = [
    'channel',
    'id',
    'prev-id',
    'formats',
    'meta',
    'no-seq',
    'ttl',
    'size',
    'seq',
    'meta.a',
    ...Object.keys(formats),
  ];
  for (const format of Object.keys(formats))
    for (const name of [
      '',
      '.code',
      '.reason',
      '.headers',
      '.headers.a',
      '.body',
      '.body-bin',
      '.body-patch',
      '.action',
    ])
      members.push(`formats.${format}${name}`);
  for (const name of ['content', 'content-bin', 'content-filters', 'type', 'code', 'reason'])
    members.push(`formats.http-stream.${name}`, `formats.ws-message.${name}`);
  const values = [null, true, 0, -1, 1.5, 1e300, '', 'x', '\ud800', [], {}, [[]], [null], { ['__proto__']: 1 }];
  const connection = await client();
  const seen = new Set<number | undefined>();
  for (const member of members) {
    for (const value of values) {
      const item: Record<string, unknown> = structuredClone({
        channel: 'a',
        id: '1',
        'prev-id': '0',
        meta: { a: 'b' },
        formats,
      });
      const path = member.split('.');
      let parent = item;
      for (const name of path.slice(0, -1)) {
        parent[name] ??= {};
        parent = parent[name] as Record<string, unknown>;
      }
      parent[path.at(-1) as string] = value;
      await connection.write(post(JSON.stringify({ items: [item] })));
      seen.add((await connection.answer())?.status);
    }
  }
  t.strictSame([...seen].sort(), [200, 400]);
  t.strictSame(log.at('error'), []);
});

t.test('ninety thousand items are published, or refused as a whole for the last of them', async (t) => {
  const { ask, listener } = await startControl(t, { pushInHttpMaxBodySize: 10_000_000 });
  const item = { channel: 'a', formats: { 'http-stream': { content: 'x' } } };
  const items: object[] = Array.from({ length: 90_000 }, () => item);
  t.match(await ask('POST', '/publish/', {}, JSON.stringify({ items })), { status: 200 });
  t.equal(listener.messages.length, 90_000);
  t.match(await ask('POST', '/publish/', {}, JSON.stringify({ items: [...items, {}] })), { status: 400 });
  t.equal(listener.messages.length, 90_000);
});

/** As a browser sends them for a page of another site. */
const pages: Readonly<Record<string, Record<string, string>>> = {
  'by Origin': { Origin: 'http://evil.test' },
  'by Origin null': { Origin: 'null' },
  'by Sec-Fetch-Site': { 'Sec-Fetch-Site': 'cross-site' },
  'by Sec-Fetch-Site of a neighbour': { 'Sec-Fetch-Site': 'same-site' },
  'under a name that was moved here': { Host: 'evil.test:5561' },
  'under a name that was moved here, as its own': {
    Host: 'evil.test:5561',
    Origin: 'http://evil.test:5561',
    'Sec-Fetch-Site': 'same-origin',
  },
};

for (const [what, fields] of Object.entries(pages)) {
  t.test(`a page is refused ${what}, whatever it asks for; nothing is published, and the log names it`, async (t) => {
    const { ask, listener, events, log } = await startControl(t);
    const asked = [
      ['POST', '/publish/', publishBody(['a', '1'])],
      ['POST', '/recover/', ''],
      ['GET', '/', ''],
      ['DELETE', '/connections/x', ''],
      ['OPTIONS', '/publish/', ''],
      ['GET', '/nothing', ''],
    ] as const;
    for (const [method, path, body] of asked) {
      const answer = await ask(method, path, { 'Content-Type': 'text/plain', ...fields }, body);
      t.match(answer, { status: 403, body: /^Forbidden: / });
      t.strictSame(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
        [],
      );
    }
    t.strictSame(listener.labels, []);
    const code = 'Host' in fields ? 'ERR_CONTROL_HOST' : 'ERR_CONTROL_PAGE';
    t.strictSame(events.seen, Array(asked.length).fill(`rejected ${code}`));
    const { Host: host = 'localhost', Origin: origin } = fields;
    t.match(log.at('warn')[0], { message: 'control request refused', fields: { status: 403, code, host, origin } });
    t.equal(log.at('warn').length, asked.length);
  });
}

t.test('a page that waits for 100 Continue is refused before it sends its body', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write(post('', { Expect: '100-continue', 'Content-Length': '10', Origin: 'null' }));
  t.match(await connection.answer(), { status: 403 });
});

t.test('a field behind thousands of others counts too', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write(head('GET /', `${'a:\r\n'.repeat(2_300)}Origin: null\r\n`));
  t.match(await connection.answer(), { status: 403 });
});

t.test('a preflight gets no permission, from a page or without one', async (t) => {
  const { ask } = await startControl(t);
  const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' };
  const page = await ask('OPTIONS', '/publish/', { ...preflight, Origin: 'http://evil.test' });
  const own = await ask('OPTIONS', '/publish/', { ...preflight, Origin: 'http://localhost' });
  t.match([page.status, own.status], [403, 405]);
  for (const { headers } of [page, own]) t.notMatch(Object.keys(headers).join(), /access-control/);
});

/** Where publishers reach a listener that is not on loopback. */
t.test('names and addresses of all kinds reach a listener on all addresses', async (t) => {
  const everywhere: FixtureOptions = { host: '0.0.0.0' };
  const { ask } = await startControl(t, everywhere);
  for (const Host of ['holdfast:5561', 'holdfast.default.svc.cluster.local:5561', '10.0.0.7:5561', 'localhost'])
    t.match(await ask('POST', '/publish/', { Host }, publishBody(['a', '1'])), { status: 200 }, Host);
  t.match(await ask('POST', '/publish/', { Host: 'holdfast:5561', Origin: 'http://evil.test' }, EMPTY), {
    status: 403,
  });
});

t.test('control_hosts: further names on loopback', async (t) => {
  const { ask } = await startControl(t, { controlHosts: ['holdfast.internal'] });
  t.match(await ask('GET', '/', { Host: 'holdfast.internal:5561' }), { status: 200 });
  t.match(await ask('GET', '/', { Host: 'evil.test:5561' }), { status: 403 });
});

t.test('allowed origins: preflights are granted, answers can be read, and only by their pages', async (t) => {
  const allowedOrigins = { allows: (origin: string) => origin === 'https://ops.example' };
  const { ask, listener } = await startControl(t, { allowedOrigins });
  const Origin = 'https://ops.example';
  const preflight = { Origin, 'Access-Control-Request-Method': 'POST', 'Sec-Fetch-Site': 'cross-site' };
  const granted = await ask('OPTIONS', '/publish/', { ...preflight, 'Access-Control-Request-Private-Network': 'true' });
  t.equal(granted.status, 200);
  t.match(granted.headers, {
    'access-control-allow-origin': Origin,
    'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
    'access-control-allow-headers': /Authorization.*Content-Type/,
    'access-control-allow-private-network': 'true',
    vary: 'Origin',
  });
  t.notMatch(Object.keys(granted.headers).join(), /credentials/, 'no cookies, and no stored passwords');
  t.match(await ask('OPTIONS', '/publish/', { Origin }), { status: 405 }, 'not a preflight');
  const item = publishBody(['a', '1']);
  for (const body of [item, 'no items']) {
    const answer = await ask('POST', '/publish/', { Origin, 'Sec-Fetch-Site': 'cross-site' }, body);
    t.match(answer.headers, { 'access-control-allow-origin': Origin, vary: 'Origin' }, `${answer.status}`);
  }
  for (const origin of ['https://evil.test', 'null', 'https://ops.example.evil.test']) {
    const refused = await ask('OPTIONS', '/publish/', { ...preflight, Origin: origin });
    t.equal(refused.status, 403, origin);
    t.notMatch(Object.keys(refused.headers).join(), /access-control/, origin);
    t.match(await ask('POST', '/publish/', { Origin: origin }, item), { status: 403 });
  }
  t.strictSame(listener.labels.length, 1);
});
