/** Members of an instruct that mean nothing. */
import fc from 'fast-check';
import t from 'tap';
import { parseInstructJson, type ResponseHead, wireFromText } from '../../dist/index.js';
import { UNKNOWN_MEMBERS_MAX } from '../../dist/instruct/json.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const type = ['Content-Type', 'application/grip-instruct', 'X-Origin', 'gone'];

function parse(document: unknown, ...headers: string[]) {
  const body = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  return parseInstructJson({ status: 200, reason: 'Fine', headers: [...type, ...headers] }, body);
}

t.test('a document with all members is a hold and its response', async (t) => {
  const instruct = parse({
    hold: {
      mode: 'stream',
      channels: [{ name: 'a', 'prev-id': '1', filters: ['skip-self'] }, { name: 'é' }],
      timeout: '30',
      'keep-alive': { content: '\n', timeout: 20 },
      meta: { user: '2' },
    },
    response: { code: 404, reason: 'Nope', headers: { 'X-A': 'é' }, body: 'hi\n' },
  });
  t.same(instruct, {
    hold: {
      mode: 'stream',
      channels: [
        { name: 'a', prevId: '1', filters: ['skip-self'] },
        { name: 'é', filters: [] },
      ],
      timeout: 30,
      keepAlive: { content: Buffer.from('\n'), mode: 'interval', timeout: 20 },
    },
    meta: Object.assign(Object.create(null), { user: '2' }),
    links: {},
    response: { code: 404, reason: 'Nope', headers: ['X-A', wireFromText('é')], body: Buffer.from('hi\n') },
  });
});

t.test('a hold without mode is a response hold of 55 seconds', async (t) => {
  t.same(parse({ hold: { channels: [] } }).hold, { mode: 'response', channels: [], timeout: 55 });
  t.equal(parse({ hold: { channels: [], timeout: 1 } }).hold?.timeout, 5);
  t.equal(parse({ hold: { channels: [], timeout: 29.6 } }).hold?.timeout, 30, 'fractions are rounded');
});

t.test('without hold there is only the response; without response it is 200 with nothing', async (t) => {
  const instruct = parse({});
  t.equal(instruct.hold, undefined);
  t.same(instruct.response, { code: 200, reason: 'Fine', headers: [], body: Buffer.alloc(0) });
});

t.test('a code takes its reason from the IANA table unless it is given', async (t) => {
  t.match(parse({ response: { code: '413' } }).response, { code: 413, reason: 'Request Entity Too Large' });
  t.match(parse({ response: { code: 599 } }).response, { code: 599, reason: '' });
  t.match(parse({ response: { code: 599, reason: 'é' } }).response, { reason: wireFromText('é') });
});

t.test('headers may be a list of pairs, which keeps order and duplicates', async (t) => {
  const headers = [
    ['B', '1'],
    ['A', '2'],
    ['B', '3'],
  ];
  t.same(parse({ response: { headers } }).response.headers, headers.flat());
});

t.test('the client gets no Grip-* header and no framing of the document either', async (t) => {
  const headers = { 'Grip-Hold': 'stream', 'content-length': '1', Connection: 'x', X: 'y', 'Content-Encoding': 'gzip' };
  t.same(parse({ response: { headers } }).response.headers, ['Content-Encoding', 'gzip'], 'X is named by Connection');
});

t.test('a body may be base64, which counts before text', async (t) => {
  t.same(parse({ response: { 'body-bin': 'AP8=', body: 'x' } }).response.body, Buffer.from([0, 255]));
});

t.test('a keep-alive is interval by default, and may have a mode and a format', async (t) => {
  const keepAlive = (value: object) => parse({ hold: { channels: [], 'keep-alive': value } }).hold?.keepAlive;
  t.same(keepAlive({ 'content-bin': 'AA==' }), { content: Buffer.from([0]), mode: 'interval', timeout: 55 });
  t.same(keepAlive({ content: 'é', timeout: 0 }), { content: Buffer.from('é'), mode: 'interval', timeout: 1 });
  t.match(keepAlive({ content: 'x', mode: 'idle' }), { mode: 'idle' });
  t.match(keepAlive({ content: '\\né', format: 'cstring' }), { content: Buffer.from('\né') });
  t.match(keepAlive({ content: 'AP8=', format: 'base64' }), { content: Buffer.from([0, 255]) });
  t.equal(keepAlive({}), undefined, 'nothing to write');
});

t.test('Grip-* headers of the response count too: the document overrides, channels and meta are added', async (t) => {
  const headers = [
    ...['Grip-Hold', 'response', 'Grip-Channel', 'a', 'Grip-Timeout', '20', 'Grip-Keep-Alive', 'x; mode=idle'],
    ...['Grip-Set-Meta', 'user=1, other=2', 'Grip-Status', '404 Nope', 'Grip-Link', '</n>; rel=next'],
  ];
  const both = parse(
    { hold: { mode: 'stream', channels: [{ name: 'b' }], meta: { user: '3' }, 'keep-alive': { timeout: 7 } } },
    ...headers,
  );
  t.match(both.hold, {
    mode: 'stream',
    timeout: 20,
    keepAlive: { content: Buffer.from('x'), mode: 'idle', timeout: 7 },
  });
  t.same(
    both.hold?.channels.map(({ name }) => name),
    ['a', 'b'],
  );
  t.same({ ...both.meta }, { user: '3', other: '2' });
  t.match(both.links, { next: { uri: '/n' } });
  t.match(both.response, { code: 404, reason: 'Nope' });

  const headersOnly = parse({}, ...headers);
  t.match(headersOnly.hold, { mode: 'response', timeout: 20, keepAlive: { content: Buffer.from('x'), timeout: 55 } });
  t.match(parse({ response: { code: 403 } }, ...headers).response, { code: 403, reason: 'Forbidden' });
});

t.test('keys that are members of every object are harmless', async (t) => {
  const { meta, response } = parse(
    '{"hold":{"channels":[],"meta":{"__proto__":"a","constructor":"b"}},"response":{"headers":{"__proto__":"c"}}}',
  );
  t.same(Object.keys(meta), ['__proto__', 'constructor']);
  t.same(response.headers, ['__proto__', 'c']);
  t.equal(parse('{"__proto__":{"hold":{"channels":[]}}}').hold, undefined);
});

t.test('what is wrong with a document is an error of the origin, with its text', async (t) => {
  const hold = (members: object) => ({ hold: { channels: [], ...members } });
  const table: [unknown, string][] = [
    ['', 'failed to parse application/grip-instruct content as JSON'],
    ['{', 'failed to parse application/grip-instruct content as JSON'],
    ['"x"', 'failed to parse application/grip-instruct content as JSON'],
    ['[]', 'instruct must be an object'],
    [{ hold: null }, "instruct contains 'hold' with wrong type: expected an object, got null"],
    [{ hold: [] }, "instruct contains 'hold' with wrong type: expected an object, got a list"],
    [{ hold: {} }, "hold does not contain 'channels'"],
    [{ hold: { channels: {} } }, "hold contains 'channels' with wrong type: expected a list, got an object"],
    [hold({ mode: 'x' }), "hold 'mode' must be set to either 'response' or 'stream'"],
    [hold({ mode: null }), "hold contains 'mode' with wrong type: expected a string, got null"],
    [hold({ channels: ['a'] }), 'channel is not an object but a string'],
    [hold({ channels: [{}] }), "channel does not contain 'name'"],
    [hold({ channels: [{ name: 1 }] }), "channel contains 'name' with wrong type: expected a string, got a number"],
    [
      hold({ channels: [{ name: 'a', 'prev-id': null }] }),
      "channel contains 'prev-id' with wrong type: expected a string, got null",
    ],
    [
      hold({ channels: [{ name: 'a', filters: 'x' }] }),
      "channel contains 'filters' with wrong type: expected a list, got a string",
    ],
    [
      hold({ channels: [{ name: 'a', filters: [1] }] }),
      'filters contains value with wrong type: expected a string, got a number',
    ],
    [hold({ channels: [{ name: 'a', filters: Array(6).fill('x') }] }), "too many filters for channel 'a'"],
    [hold({ timeout: null }), "hold contains 'timeout' with wrong type: expected a whole number, got null"],
    [hold({ timeout: 'soon' }), "hold contains 'timeout' with wrong type: expected a whole number, got a string"],
    [hold({ timeout: true }), "hold contains 'timeout' with wrong type: expected a whole number, got true"],
    [hold({ timeout: -1 }), "hold contains 'timeout' with invalid value: must be from 0 to 2147483647"],
    [hold({ timeout: 1e300 }), "hold contains 'timeout' with invalid value: must be from 0 to 2147483647"],
    [hold({ 'keep-alive': 'x' }), "hold contains 'keep-alive' with wrong type: expected an object, got a string"],
    [
      hold({ 'keep-alive': { content: 1 } }),
      "keep-alive contains 'content' with wrong type: expected a string, got a number",
    ],
    [
      hold({ 'keep-alive': { 'content-bin': null } }),
      "keep-alive contains 'content-bin' with wrong type: expected a string of base64, got null",
    ],
    [
      hold({ 'keep-alive': { content: 'x', timeout: [] } }),
      "keep-alive contains 'timeout' with wrong type: expected a whole number, got a list",
    ],
    [
      hold({ 'keep-alive': { content: 'x', timeout: '-1' } }),
      "keep-alive contains 'timeout' with invalid value: must be from 0 to 2147483647",
    ],
    [hold({ 'keep-alive': { content: 'x', mode: 'y' } }), "no such keep-alive mode 'y'"],
    [hold({ 'keep-alive': { content: 'x', format: 'y' } }), "no such keep-alive format 'y'"],
    [hold({ 'keep-alive': { content: '\\x', format: 'cstring' } }), 'failed to parse keep-alive cstring format'],
    [hold({ meta: [] }), "hold contains 'meta' with wrong type: expected an object, got a list"],
    [hold({ meta: { x: 1 } }), "'meta' contains 'x' with wrong type: expected a string, got a number"],
    [{ response: 'x' }, "instruct contains 'response' with wrong type: expected an object, got a string"],
    [{ response: { code: 'x' } }, "response contains 'code' with wrong type: expected a whole number, got a string"],
    [{ response: { code: 200.5 } }, "response contains 'code' with wrong type: expected a whole number, got 200.5"],
    [{ response: { code: 1000 } }, "response contains 'code' with invalid value: must be from 200 to 999"],
    [{ response: { code: 100 } }, "response contains 'code' with invalid value: must be from 200 to 999"],
    [{ response: { reason: null } }, "response contains 'reason' with wrong type: expected a string, got null"],
    [{ response: { reason: 'a\r\nX: y' } }, "response contains 'reason' with a control character"],
    [
      { response: { headers: 'x' } },
      "response contains 'headers' with wrong type: expected an object or a list of pairs, got a string",
    ],
    [
      { response: { headers: ['x'] } },
      'headers contains element with wrong type: expected a list of name and value, got a string',
    ],
    [{ response: { headers: [['x']] } }, 'headers contains list with wrong number of elements: expected 2, got 1'],
    [
      { response: { headers: [[1, 'x']] } },
      'header contains name element with wrong type: expected a string, got a number',
    ],
    [
      { response: { headers: [['x', 1]] } },
      'header contains value element with wrong type: expected a string, got a number',
    ],
    [{ response: { headers: { x: 1 } } }, "headers contains 'x' with wrong type: expected a string, got a number"],
    [{ response: { headers: { x: 'a\nb' } } }, "header 'x' contains a control character"],
    [{ response: { headers: { 'a b': 'x' } } }, 'header name "a b" is not a token'],
    [{ response: { body: 1 } }, "response contains 'body' with wrong type: expected a string, got a number"],
    [
      { response: { 'body-bin': 1 } },
      "response contains 'body-bin' with wrong type: expected a string of base64, got a number",
    ],
  ];
  for (const [document, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parse(document)),
      message,
      JSON.stringify(document),
    );
  }
});

t.test('the response must have status 200, whatever Grip-Status says', async (t) => {
  for (const status of [201, 404, 500]) {
    const head = { status, reason: '', headers: [...type, 'Grip-Status', '200'] };
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parseInstructJson(head, Buffer.from('{}'))),
      'response code for application/grip-instruct content must be 200',
    );
  }
});

t.test('the document must be UTF-8; a byte order mark is skipped', async (t) => {
  const head = { status: 200, reason: 'OK', headers: type };
  t.equal(parseInstructJson(head, Buffer.from('\ufeff{}')).response.code, 200);
  t.match(
    messageOf('ERR_GRIP_INSTRUCT', () => parseInstructJson(head, Buffer.from('{"a":"\xff"}', 'latin1'))),
    /^failed to parse/,
  );
});

t.test('arbitrary bytes and arbitrary JSON yield an instruct or a GripError', async (t) => {
  const head = { status: 200, reason: 'OK', headers: type };
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>('stream', 'a', [], {}, [{ name: 'a' }], 404, null));
  const hold = fc.record(
    { mode: value, channels: value, timeout: value, 'keep-alive': value, meta: value },
    { requiredKeys: [] },
  );
  const response = fc.record({ code: value, reason: value, headers: value, body: value }, { requiredKeys: [] });
  const documents = fc.record(
    { hold: fc.oneof(hold, value), response: fc.oneof(response, value) },
    { requiredKeys: [] },
  );
  const bodies = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array)),
    fc.oneof(documents, fc.jsonValue()).map((document) => Buffer.from(JSON.stringify(document))),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      const instruct = valueOrGripError('ERR_GRIP_INSTRUCT', () => parseInstructJson(head, body));
      if (instruct) t.ok(Buffer.isBuffer(instruct.response.body));
      if (instruct?.response.headers.some((text) => /[\r\n\0]/.test(text))) t.fail('a header holds a line break');
    }),
  );
});

const head: ResponseHead = { status: 200, reason: 'OK', headers: ['Content-Type', 'application/grip-instruct'] };
const unknownIn = (document: object) =>
  parseInstructJson(head, Buffer.from(JSON.stringify(document))).unknown?.map(({ where, name }) => `${where}.${name}`);

t.test('each is found, wherever it stands, and passed over', async (t) => {
  const channel = { name: 'a', 'prev-id': '1', prevId: '1', filters: [] };
  const hold = {
    mode: 'stream',
    channels: [channel],
    timout: 5,
    'keep-alive': { content: 'x', time: 3 },
    meta: { a: 'b' },
  };
  const response = { code: 200, header: {}, body: 'x' };
  t.strictSame(unknownIn({ holds: {}, hold, response }), [
    'instruct.holds',
    'hold.timout',
    'channel.prevId',
    'keep-alive.time',
    'response.header',
  ]);
});

t.test('nothing is found in an instruct that has all there is', async (t) => {
  const hold = {
    ...{ mode: 'response', channels: [{ name: 'a', 'prev-id': '', filters: ['x'] }], timeout: 5, meta: { odd: 'x' } },
    'keep-alive': { content: 'x', 'content-bin': 'eA==', mode: 'idle', format: 'raw', timeout: 5 },
  };
  const response = { code: 200, reason: 'OK', headers: { Odd: 'x' }, body: 'x', 'body-bin': 'eA==' };
  t.equal(unknownIn({ hold, response }), undefined);
});

t.test('of many UNKNOWN_MEMBERS_MAX are found', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`m${i}`, 1]));
  t.equal(unknownIn({ ...many, response: many })?.length, UNKNOWN_MEMBERS_MAX);
});

t.test('a channel may be a pattern', async (t) => {
  const channels = [
    { name: 'a-*', pattern: true, 'prev-id': '1' },
    { name: 'b-*', pattern: false },
  ];
  t.strictSame(parse({ hold: { channels } }).hold?.channels, [
    { name: 'a-*', isPattern: true, filters: [] },
    { name: 'b-*', filters: [] },
  ]);
  t.equal(
    messageOf('ERR_GRIP_INSTRUCT', () => parse({ hold: { channels: [{ name: 'a', pattern: 'yes' }] } })),
    "channel contains 'pattern' with wrong type: expected true or false, got a string",
  );
  t.equal(parse({ hold: { channels } }).unknown, undefined);
});
