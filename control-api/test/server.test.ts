import t, { type Test } from 'tap';
import { LocalBackplane, silentLog } from '../dist/index.js';
import { publishBody, startControl } from './control-fixture.js';
import { rememberedIds } from './items.js';
import { type RawAnswer, requestBytes } from './raw-client.js';

const JSON_ACCEPT = { Accept: 'application/json' };

function isAnswer(t: Test, answer: RawAnswer | undefined, status: number, type: string, body: string): void {
  t.match(answer, { status, headers: { 'content-type': type }, body });
  t.equal(answer?.body, body);
}

const isText = (t: Test, answer: RawAnswer | undefined, status: number, body: string) =>
  isAnswer(t, answer, status, 'text/plain', body);

t.test('any method on / answers 200 "Pushpin API"', async (t) => {
  const { ask } = await startControl(t);
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
    isText(t, await ask(method, '/'), 200, 'Pushpin API\n');
  }
  const head = await ask('HEAD', '/');
  t.match(head, { status: 200, headers: { 'content-length': '12' } });
  isAnswer(t, await ask('GET', '/', JSON_ACCEPT), 200, 'application/json', '{"message":"Pushpin API"}\n');
});

for (const path of ['/publish', '/publish/']) {
  t.test(`POST ${path} publishes all items and answers 200 "Published"`, async (t) => {
    const { ask, listener, events } = await startControl(t);
    isText(t, await ask('POST', path, {}, publishBody(['a', '1'], ['b', '2'], ['a', '3'])), 200, 'Published\n');
    t.strictSame(listener.labels, ['a/1', 'a/3']);
    t.strictSame(events.seen, ['published 3']);
  });
}

for (const path of ['/recover', '/recover/']) {
  t.test(`POST ${path} answers 200 "Updated"`, async (t) => {
    const { ask, listener, events } = await startControl(t);
    isText(t, await ask('POST', path), 200, 'Updated\n');
    isAnswer(t, await ask('POST', path, JSON_ACCEPT, 'ignored'), 200, 'application/json', '{"message":"Updated"}\n');
    t.strictSame(listener.labels, ['recover', 'recover']);
    t.strictSame(events.seen, ['recovered', 'recovered']);
  });
}

t.test('a client that asks for JSON gets a receipt per item', async (t) => {
  const { ask } = await startControl(t);
  const answer = await ask('POST', '/publish/', JSON_ACCEPT, publishBody(['a', '1'], ['b \u00e9', '2']));
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json' } });
  t.equal(answer.body.at(-1), '\n');
  t.strictSame(JSON.parse(answer.body), {
    message: 'Published',
    items: [
      { id: '1', channel: 'a', subscribers: 2, nodes: 1 },
      { id: '2', channel: 'b \u00e9', subscribers: 0, nodes: 0, unreceived: true },
    ],
  });
});

t.test(
  'a text says what reached nobody and what is a duplicate, unless there is no Accept, as with Pushpin',
  async (t) => {
    const { ask } = await startControl(t, { backplane: new LocalBackplane(silentLog, rememberedIds()) });
    const text = { Accept: '*/*' };
    const two = publishBody(['nobody', '1'], ['a', '1'], ['a', '1']);
    const notes = [
      'Note: items[0] reached nobody.',
      'Note: not sent again, as the id was published on the channel a moment ago: items[2].',
    ];
    isText(t, await ask('POST', '/publish/', text, two), 200, `Published\n${notes.join('\n')}\n`);
    isText(
      t,
      await ask('POST', '/publish/', text, publishBody(['nobody', '2'])),
      200,
      'Published\nNote: the item reached nobody.\n',
    );
    isText(t, await ask('POST', '/publish/', text, publishBody(['a', '2'])), 200, 'Published\n');
    isText(t, await ask('POST', '/publish/', {}, publishBody(['nobody', '3'])), 200, 'Published\n');
  },
);

t.test('a receipt in JSON warns of formats and members that mean nothing', async (t) => {
  const { ask } = await startControl(t);
  const item = {
    channel: 'a',
    chanel: 'b',
    formats: { 'http-steam': {}, 'http-stream': { content: 'x', contnt: 'y' } },
  };
  const { items } = JSON.parse(
    (await ask('POST', '/publish/', JSON_ACCEPT, JSON.stringify({ items: [item, item] }))).body,
  );
  const warnings = [
    'unknown member "chanel" of the item',
    'unknown format "http-steam": known are http-response, http-stream, ws-message, http-request and xmpp-stanza',
    'unknown member "contnt" of \'http-stream\'',
  ];
  t.strictSame(
    items.map((receipt: { warnings?: unknown }) => receipt.warnings),
    [warnings, warnings],
  );
});

t.test('an item without id is receipted with the id made for it', async (t) => {
  const { ask, listener } = await startControl(t);
  const body = '{"items":[{"channel":"a","http-stream":{"content":"x"}}]}';
  const { items } = JSON.parse((await ask('POST', '/publish/', JSON_ACCEPT, body)).body);
  t.strictSame(listener.labels, [`a/${items[0].id}`]);
});

t.test('an empty list of items is published', async (t) => {
  const { ask, events } = await startControl(t);
  isText(t, await ask('POST', '/publish/', {}, '{"items":[]}'), 200, 'Published\n');
  t.strictSame(events.seen, ['published 0']);
});

t.test('another method on /publish/ and /recover/ answers 405 with Allow', async (t) => {
  const { ask, listener } = await startControl(t);
  for (const path of ['/publish', '/publish/', '/recover', '/recover/']) {
    const answer = await ask('GET', path);
    isText(t, answer, 405, 'Method not allowed: GET.\n');
    t.equal(answer.headers.allow, 'POST');
  }
  isText(t, await ask('PUT', '/publish/', {}, publishBody(['a', '1'])), 405, 'Method not allowed: PUT.\n');
  t.match(await ask('HEAD', '/publish/'), { status: 405, headers: { allow: 'POST' } });
  t.strictSame(listener.labels, []);
});

t.test('anything else answers 404, query strings included', async (t) => {
  const { ask, listener } = await startControl(t);
  const paths = ['/nothing/', '/publish/?a=b', '/?', '/publish?', '/recover/?x', '/publish//', '//', '*', '/PUBLISH/'];
  for (const path of paths) isText(t, await ask('POST', path, {}, publishBody(['a', '1'])), 404, 'Not Found\n');
  t.strictSame(listener.labels, []);
});

t.test('Accept: the last known type wins, and 406 comes before everything else', async (t) => {
  const { ask, listener } = await startControl(t);
  const text = await ask('POST', '/publish/', { Accept: 'application/json, */*' }, '{"items":[]}');
  isText(t, text, 200, 'Published\n');
  const json = await ask('POST', '/publish/', { Accept: 'text/plain, application/*;q=0.1' }, '{"items":[]}');
  isAnswer(t, json, 200, 'application/json', '{"message":"Published","items":[]}\n');
  const refused = 'Not Acceptable. Supported formats are text/plain and application/json.\n';
  for (const path of ['/', '/publish/', '/recover/', '/nothing']) {
    isText(t, await ask('POST', path, { Accept: 'image/png' }, publishBody(['a', '1'])), 406, refused);
  }
  t.strictSame(listener.labels, []);
});

t.test('the Content-Type of a request is ignored', async (t) => {
  const { ask, listener } = await startControl(t);
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'nonsense']) {
    isText(t, await ask('POST', '/publish/', { 'Content-Type': type }, publishBody(['a', type])), 200, 'Published\n');
  }
  t.equal(listener.messages.length, 3);
});

const badBodies: ReadonlyArray<readonly [body: string, message: string]> = [
  ['', 'Body is not valid JSON.'],
  ['{"items": [', 'Body is not valid JSON.'],
  ['[]', 'Invalid format.'],
  ['{}', "Invalid format: object does not contain 'items'"],
  ['{"items":{}}', "Invalid format: object contains 'items' with wrong type: expected a list, got an object"],
];

t.test('a body that is not a list of items answers 400 with its reason', async (t) => {
  const { ask, events } = await startControl(t);
  for (const [body, message] of badBodies) isText(t, await ask('POST', '/publish/', {}, body), 400, `${message}\n`);
  t.strictSame(
    events.seen,
    badBodies.map(() => 'rejected ERR_GRIP_ITEM'),
  );
});

t.test('one bad item refuses the whole request, and nothing of it is published', async (t) => {
  const { ask, listener, events } = await startControl(t);
  const good = { channel: 'a', id: '1', formats: { 'http-stream': { content: 'x' } } };
  for (const bad of ['x', {}, { channel: 'a' }, { ...good, id: null }, { ...good, formats: { 'http-stream': {} } }]) {
    const answer = await ask('POST', '/publish/', {}, JSON.stringify({ items: [good, bad, good] }));
    t.match(answer, { status: 400, headers: { 'content-type': 'text/plain' }, body: /^Invalid format: .+\n$/ });
  }
  t.strictSame(listener.labels, []);
  t.strictSame(new Set(events.seen), new Set(['rejected ERR_GRIP_ITEM']));
});

t.test('what the text of Pushpin leaves out is in the JSON, and in the log', async (t) => {
  const { ask, log } = await startControl(t);
  const details: ReadonlyArray<readonly [body: string, detail: RegExp]> = [
    ['{"items":\n [{]}', /^unexpected ']' where a name in double quotes should be at line 2, column 4 \(byte 13\)/],
    ['[]', /^expected an object with 'items', got a list$/],
    ['null', /^expected an object with 'items', got null$/],
  ];
  for (const [body, detail] of details) {
    const answer = await ask('POST', '/publish/', JSON_ACCEPT, body);
    t.match(JSON.parse(answer.body), { message: /^(Body is not valid JSON|Invalid format)\.$/, detail });
    t.match(log.lines.at(-1), { level: 'warn', fields: { detail } });
  }
});

t.test('refusals are JSON with the code for clients that ask for JSON', async (t) => {
  const { ask } = await startControl(t);
  const refusals = [
    await ask('POST', '/publish/', JSON_ACCEPT, 'x'),
    await ask('GET', '/publish/', JSON_ACCEPT),
    await ask('GET', '/nothing', JSON_ACCEPT),
  ];
  t.strictSame(
    refusals.map(({ status, headers, body }) => [status, headers['content-type'], body]),
    [
      [
        400,
        'application/json',
        `{"message":"Body is not valid JSON.","code":"ERR_GRIP_ITEM","detail":"unexpected 'x' where a value should be at line 1, column 1 (byte 0), near \\"x\\""}\n`,
      ],
      [405, 'application/json', '{"message":"Method not allowed: GET.","code":"ERR_CONTROL_METHOD"}\n'],
      [404, 'application/json', '{"message":"Not Found","code":"ERR_CONTROL_NOT_FOUND"}\n'],
    ],
  );
});

t.test('a chunked body is read', async (t) => {
  const { client, listener } = await startControl(t);
  const body = publishBody(['a', '1']);
  const half = body.length >> 1;
  const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`;
  const connection = await client();
  await connection.write('POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
  await connection.write(`${chunk(body.slice(0, half))}${chunk(body.slice(half))}0\r\n\r\n`);
  isText(t, await connection.answer(), 200, 'Published\n');
  t.strictSame(listener.labels, ['a/1']);
});

t.test('a publish without Content-Length or chunks answers 411; a recover needs neither', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  await connection.write('POST /publish/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  isText(t, await connection.answer(), 411, 'Request requires Content-Length.\n');
  await connection.write('POST /recover/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  isText(t, await connection.answer(), 200, 'Updated\n');
  t.strictSame(listener.labels, ['recover']);
});

t.test('HTTP/1.0 without Host is served, and its connection closed', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  const body = publishBody(['a', '1']);
  await connection.write(`POST /publish/ HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  isText(t, await connection.answer(), 200, 'Published\n');
  await connection.closed;
  t.strictSame(listener.labels, ['a/1']);
});

t.test('HTTP/1.1 without Host is served', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write('GET / HTTP/1.1\r\n\r\n');
  isText(t, await connection.answer(), 200, 'Pushpin API\n');
});

t.test('a request that arrives byte by byte works', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  for (const byte of requestBytes('POST', '/publish/', {}, publishBody(['a', '1']))) await connection.write(byte);
  isText(t, await connection.answer(), 200, 'Published\n');
  t.strictSame(listener.labels, ['a/1']);
});

t.test('a connection is kept for further requests, after refusals too', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  for (const [body, status] of [
    [publishBody(['a', '1']), 200],
    ['nonsense', 400],
    [publishBody(['a', '2']), 200],
  ] as const) {
    await connection.write(requestBytes('POST', '/publish/', {}, body));
    t.match(await connection.answer(), { status });
  }
  t.strictSame(listener.labels, ['a/1', 'a/2']);
});

t.test('pipelined requests are published and answered in order', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  const ids = Array.from({ length: 50 }, (_, i) => String(i));
  await connection.write(
    ids.map((id) => requestBytes('POST', '/publish/', JSON_ACCEPT, publishBody(['a', id]))).join(''),
  );
  for (const id of ids) t.match(JSON.parse((await connection.answer())?.body ?? '{}'), { items: [{ id }] });
  t.strictSame(
    listener.labels,
    ids.map((id) => `a/${id}`),
  );
});

t.test('concurrent publishers each keep their order', async (t) => {
  const { client, listener } = await startControl(t);
  const publisher = async (name: string) => {
    const connection = await client();
    for (let i = 0; i < 30; i += 1) {
      await connection.write(requestBytes('POST', '/publish/', {}, publishBody(['a', `${name}${i}`])));
      t.equal((await connection.answer())?.status, 200);
    }
  };
  const names = ['p', 'q', 'r', 's'];
  await Promise.all(names.map(publisher));
  for (const name of names) {
    const own = listener.labels.filter((each) => each.startsWith(`a/${name}`));
    t.strictSame(
      own,
      Array.from({ length: 30 }, (_, i) => `a/${name}${i}`),
    );
  }
});

t.test('a request is logged in one line: debug, or warn when a POST is refused', async (t) => {
  const { ask, log } = await startControl(t);
  const body = publishBody(['a', '1']);
  await ask('POST', '/publish/', {}, body);
  t.match(log.lines, [
    { level: 'debug', fields: { method: 'POST', path: '/publish/', status: 200, bytes: body.length, items: 1 } },
  ]);
  log.lines.length = 0;
  await ask('POST', '/publish/', {}, '[]');
  t.match(log.lines, [{ level: 'warn', fields: { status: 400, code: 'ERR_GRIP_ITEM', answer: 'Invalid format.' } }]);
  log.lines.length = 0;
  await ask('GET', '/publish/');
  t.match(log.lines, [{ level: 'debug', fields: { status: 405, code: 'ERR_CONTROL_METHOD' } }]);
  t.equal(log.lines.length, 1);
});

/** What an item may be is known when it is published; no such item gets any further. */
const tooMuch: ReadonlyArray<readonly [item: string, message: string]> = [
  [`{"channel":"a","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'Body nests deeper than 256 levels.'],
  [
    '{"channel":"a","formats":{"http-response":{"body-patch":[{"op":"add","path":"hasOwnProperty"}]}}}',
    "Invalid format: items[1]: 'body-patch' operation 0 contains 'path' that is not a JSON pointer",
  ],
  [
    `{"channel":"${'a'.repeat(1_025)}","formats":{"http-stream":{"content":""}}}`,
    "Invalid format: items[1]: publish item object contains 'channel' of more than 1024 bytes",
  ],
  [
    `{"channel":"a","id":"${'a'.repeat(900_000)}","formats":{"http-stream":{"content":""}}}`,
    "Invalid format: items[1]: publish item object contains 'id' of more than 1024 bytes",
  ],
  [
    `{"channel":"a","prev-id":"${'a'.repeat(900_000)}","formats":{"http-stream":{"content":""}}}`,
    "Invalid format: items[1]: publish item object contains 'prev-id' of more than 1024 bytes",
  ],
];

t.test('an item that is more than any may be answers 400 with its reason, and nothing is published', async (t) => {
  const { ask, listener, events } = await startControl(t);
  for (const [item, message] of tooMuch) {
    const good = '{"channel":"a","id":"1","formats":{"http-stream":{"content":""}}}';
    isText(t, await ask('POST', '/publish/', {}, `{"items":[${good},${item}]}`), 400, `${message}\n`);
  }
  t.strictSame(listener.labels, []);
  t.strictSame(new Set(events.seen), new Set(['rejected ERR_GRIP_ITEM']));
});

t.test('a refusal that quotes what was sent is cut', async (t) => {
  const { ask } = await startControl(t);
  const item = { channel: 'a', meta: { ['x'.repeat(500_000)]: 1 }, formats: { 'http-stream': { content: '' } } };
  const { status, body } = await ask('POST', '/publish/', {}, JSON.stringify({ items: [item] }));
  t.equal(status, 400);
  t.ok(body.length < 5_000);
});
