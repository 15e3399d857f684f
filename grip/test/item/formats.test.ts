import t from 'tap';
import {
  formatKeys,
  formatNames,
  formatRows,
  listFormats,
  subscriberKinds,
  zeroCounts,
} from '../../dist/item/formats.js';
import { REQUEST_METHOD_MAX, REQUEST_PATH_MAX } from '../../dist/item/http-request.js';
import { itemToJson, parseItem } from '../../dist/item/item.js';
import { messageOf } from '../grip-error.js';

const parsers = {
  'http-response': formatRows.httpResponse.parse,
  'http-stream': formatRows.httpStream.parse,
  'ws-message': formatRows.wsMessage.parse,
  'http-request': formatRows.httpRequest.parse,
  'xmpp-stanza': formatRows.xmppStanza.parse,
};

/** Content that each format takes. */
const STANZA = '<message><body>x</body></message>';

t.test('each format has a name of its own and a kind of subscriber of its own', async (t) => {
  t.strictSame(formatNames, Object.keys(parsers));
  t.strictSame(subscriberKinds, ['response', 'stream', 'ws', 'callback', 'xmpp']);
  t.equal(new Set(formatNames).size, formatKeys.length);
  t.equal(new Set(subscriberKinds).size, formatKeys.length);
  t.equal(JSON.stringify(zeroCounts()), '{"response":0,"stream":0,"ws":0,"callback":0,"xmpp":0}');
  t.equal(listFormats('or'), 'http-response, http-stream, ws-message, http-request or xmpp-stanza');
});

t.test('the JSON of each format is the same to the byte, whatever order it was published in', async (t) => {
  const filters = { 'content-filters': ['a', 'b'] };
  const patch = [{ op: 'test', path: '/a', value: 1 }];
  const table: [name: string, published: object, json: string][] = [
    [
      'http-response',
      { body: 'é', ...filters, headers: { A: 'é' }, reason: 'Sure', code: 202 },
      '{"code":202,"reason":"Sure","headers":[["A","é"]],"content-filters":["a","b"],"body":"é"}',
    ],
    ['http-response', { 'body-bin': '/w==', code: 299 }, '{"code":299,"headers":[],"body-bin":"/w=="}'],
    [
      'http-response',
      { 'body-patch': patch },
      `{"code":200,"reason":"OK","headers":[],"body-patch":${JSON.stringify(patch)}}`,
    ],
    ['http-response', { action: 'refresh', body: 'x' }, '{"action":"refresh"}'],
    ['http-stream', { content: 'x', ...filters }, '{"content-filters":["a","b"],"content":"x"}'],
    ['http-stream', { 'content-bin': '/w==' }, '{"content-bin":"/w=="}'],
    ['http-stream', { action: 'close' }, '{"action":"close"}'],
    [
      'ws-message',
      { content: 'x', type: 'ping', ...filters },
      '{"type":"ping","content-filters":["a","b"],"content":"x"}',
    ],
    ['ws-message', { 'content-bin': '/w==' }, '{"type":"binary","content-bin":"/w=="}'],
    ['ws-message', { reason: 'é', code: 4001, action: 'close' }, '{"action":"close","code":4001,"reason":"é"}'],
    ['ws-message', { action: 'hint' }, '{"action":"hint"}'],
    [
      'http-request',
      { body: 'é', ...filters, headers: { A: 'é' }, path: '/a?b', method: 'PUT' },
      '{"method":"PUT","path":"/a?b","headers":[["A","é"]],"content-filters":["a","b"],"body":"é"}',
    ],
    ['http-request', {}, '{"method":"POST","body":""}'],
    ['http-request', { 'body-bin': '/w==', path: '' }, '{"method":"POST","body-bin":"/w=="}'],
    ['http-request', { action: 'close', path: 1 }, '{"action":"close"}'],
    ['xmpp-stanza', { content: STANZA, ...filters }, `{"content-filters":["a","b"],"content":"${STANZA}"}`],
    ['xmpp-stanza', { action: 'close' }, '{"action":"close"}'],
  ];
  for (const [name, published, json] of table) {
    const { formats } = itemToJson(parseItem({ channel: 'c', formats: { [name]: published } }));
    t.equal(JSON.stringify(formats), `{"${name}":${json}}`);
  }
});

t.test('content is what is delivered to all subscribers alike, and can be put elsewhere in memory', async (t) => {
  const [bytes, copy] = [Buffer.from(STANZA), Buffer.from(STANZA)];
  for (const key of formatKeys) {
    check(key);
  }
  function check<Key extends (typeof formatKeys)[number]>(key: Key) {
    const row = formatRows[key];
    const format = row.parse({ content: STANZA, body: STANZA, 'content-filters': ['a'] });
    t.same(row.content(format), bytes, key);
    const moved = row.withContent(format, copy);
    t.equal(row.content(moved), copy, key);
    t.same(moved, format, key);
    for (const action of ['hint', 'close', 'refresh']) t.equal(row.content(row.parse({ action })), undefined, key);
  }
  t.equal(formatRows.httpResponse.content(formatRows.httpResponse.parse({ 'body-patch': [] })), undefined);
});

t.test('members that an action does not use are not looked at', async (t) => {
  for (const [name, parse] of Object.entries(parsers)) {
    for (const action of ['hint', 'refresh']) {
      t.same(parse({ action, code: null, headers: 5, content: null, body: 1 }), { action }, name);
    }
  }
  t.same(parsers['http-response']({ action: 'close', body: 1 }), { action: 'close' });
  t.same(parsers['http-stream']({ action: 'close', content: 1 }), { action: 'close' });
  t.same(parsers['ws-message']({ action: 'close', content: 1 }), { action: 'close' });
  t.same(parsers['xmpp-stanza']({ action: 'close', content: 1 }), { action: 'close' });
});

t.test('content-filters are kept in order; an empty list is not the same as none', async (t) => {
  for (const parse of Object.values(parsers)) {
    const content = { content: STANZA, body: STANZA };
    t.match(parse({ ...content, 'content-filters': ['b', 'a'] }), { contentFilters: ['b', 'a'] });
    t.match(parse({ ...content, 'content-filters': [] }), { contentFilters: [] });
    t.notOk('contentFilters' in parse(content));
  }
});

t.test('what is wrong with a format is an error of the publisher, with its text', async (t) => {
  const table: [keyof typeof parsers, unknown, string][] = [
    ['http-response', 'x', "'http-response' is not an object but a string"],
    ['http-response', {}, "'http-response' does not contain 'body', 'body-bin', or 'body-patch'"],
    [
      'http-response',
      { action: 1 },
      "'http-response' contains 'action' with wrong type: expected a string, got a number",
    ],
    [
      'http-response',
      { action: 'x' },
      `'http-response' contains 'action' with unknown value "x", known are send, hint, close, refresh`,
    ],
    [
      'http-response',
      { code: 'some body' },
      "'http-response' contains 'code' with wrong type: expected a whole number, got a string",
    ],
    [
      'http-response',
      { code: null },
      "'http-response' contains 'code' with wrong type: expected a whole number, got null",
    ],
    [
      'http-response',
      { code: 200.5 },
      "'http-response' contains 'code' with wrong type: expected a whole number, got 200.5",
    ],
    ['http-response', { code: 1000 }, "'http-response' contains 'code' with invalid value: must be from 200 to 999"],
    ['http-response', { code: -1 }, "'http-response' contains 'code' with invalid value: must be from 200 to 999"],
    ['http-response', { code: 0 }, "'http-response' contains 'code' with invalid value: must be from 200 to 999"],
    ['http-response', { code: 101 }, "'http-response' contains 'code' with invalid value: must be from 200 to 999"],
    [
      'http-response',
      { reason: 1 },
      "'http-response' contains 'reason' with wrong type: expected a string, got a number",
    ],
    ['http-response', { reason: 'é'.repeat(513) }, "'http-response' contains 'reason' with more than 1024 bytes"],
    ['http-response', { reason: 'a\nb' }, "'http-response' contains 'reason' with a control character"],
    [
      'http-response',
      { headers: null },
      "'http-response' contains 'headers' with wrong type: expected an object or a list of pairs, got null",
    ],
    [
      'http-response',
      { headers: [1] },
      'headers contains element with wrong type: expected a list of name and value, got a number',
    ],
    [
      'http-response',
      { headers: [['a', 'b', 'c']] },
      'headers contains list with wrong number of elements: expected 2, got 3',
    ],
    [
      'http-response',
      { headers: [[1, 'b']] },
      'header contains name element with wrong type: expected a string, got a number',
    ],
    [
      'http-response',
      { headers: [['a', 1]] },
      'header contains value element with wrong type: expected a string, got a number',
    ],
    ['http-response', { headers: { a: 1 } }, "headers contains 'a' with wrong type: expected a string, got a number"],
    ['http-response', { headers: { 'X-A': 'a\r\nB: c' } }, "header 'X-A' contains a control character"],
    ['http-response', { headers: { 'X-A\r\nB': 'c' } }, 'header name "X-A\\r\\nB" is not a token'],
    ['http-response', { headers: { '': 'c' } }, 'header name "" is not a token'],
    [
      'http-response',
      { 'content-filters': 'x' },
      "'http-response' contains 'content-filters' with wrong type: expected a list, got a string",
    ],
    [
      'http-response',
      { 'content-filters': [1] },
      'content-filters contains element with wrong type: expected a string, got a number',
    ],
    ['http-response', { body: 1 }, "'http-response' contains 'body' with wrong type: expected a string, got a number"],
    [
      'http-response',
      { 'body-bin': 1, body: 'x' },
      "'http-response' contains 'body-bin' with wrong type: expected a string of base64, got a number",
    ],
    [
      'http-response',
      { 'body-patch': {} },
      "'http-response' contains 'body-patch' with wrong type: expected a list, got an object",
    ],
    ['http-stream', null, "'http-stream' is not an object but null"],
    ['http-stream', {}, "'http-stream' does not contain 'content' or 'content-bin'"],
    [
      'http-stream',
      { action: '' },
      `'http-stream' contains 'action' with unknown value "", known are send, hint, close, refresh`,
    ],
    ['http-stream', { content: null }, "'http-stream' contains 'content' with wrong type: expected a string, got null"],
    [
      'http-stream',
      { 'content-bin': [] },
      "'http-stream' contains 'content-bin' with wrong type: expected a string of base64, got a list",
    ],
    ['xmpp-stanza', {}, "'xmpp-stanza' does not contain 'content' or 'content-bin'"],
    [
      'xmpp-stanza',
      { content: '<message><body>x</message>' },
      "'xmpp-stanza' contains 'content' that is not a stanza: 1:26: unexpected close tag.",
    ],
    [
      'xmpp-stanza',
      { 'content-bin': '/w==' },
      "'xmpp-stanza' contains 'content' that is not a stanza: it is not UTF-8",
    ],
    ['ws-message', [], "'ws-message' is not an object but a list"],
    ['ws-message', {}, "'ws-message' does not contain 'content' or 'content-bin'"],
    ['ws-message', { type: 'text' }, "'ws-message' does not contain 'content' or 'content-bin'"],
    [
      'ws-message',
      { type: 'x' },
      `'ws-message' contains 'type' with unknown value "x", known are text, binary, ping, pong`,
    ],
    ['ws-message', { type: null }, "'ws-message' contains 'type' with wrong type: expected a string, got null"],
    ['ws-message', { content: 1 }, "'ws-message' contains 'content' with wrong type: expected a string, got a number"],
    [
      'ws-message',
      { 'content-bin': 1 },
      "'ws-message' contains 'content-bin' with wrong type: expected a string of base64, got a number",
    ],
    [
      'ws-message',
      { action: 'close', code: 'x' },
      "'ws-message' contains 'code' with wrong type: expected a whole number, got a string",
    ],
    [
      'ws-message',
      { action: 'close', code: -1 },
      "'ws-message' contains 'code' with invalid value: must be from 0 to 65535",
    ],
    [
      'ws-message',
      { action: 'close', code: 65536 },
      "'ws-message' contains 'code' with invalid value: must be from 0 to 65535",
    ],
    [
      'ws-message',
      { action: 'close', reason: null },
      "'ws-message' contains 'reason' with wrong type: expected a string, got null",
    ],
  ];
  const badPath = "'http-request' contains 'path' with invalid value: must be ";
  const form = `${badPath}printable ASCII without '#' and '\\', that begins with '/' or '?'`;
  for (const path of ['x', 'http://evil', '/a b', '/a#b', '/a\\b', '/é', '/a\r\nHost: b', '@evil'])
    table.push(['http-request', { path }, form]);
  for (const path of ['/..', '/a/../b', '/%2e%2E/b', '/.', '/a/.%2e?x'])
    table.push(['http-request', { path }, `${badPath}without the segments '.' and '..'`]);
  table.push(
    ['http-request', { path: `/${'a'.repeat(REQUEST_PATH_MAX)}` }, `${badPath}of at most 2048 characters`],
    ['http-request', { path: 1 }, "'http-request' contains 'path' with wrong type: expected a string, got a number"],
    ['http-request', { body: 1 }, "'http-request' contains 'body' with wrong type: expected a string, got a number"],
    ['http-request', { headers: { 'X-A': 'a\r\nB: c' } }, "header 'X-A' contains a control character"],
  );
  for (const method of ['', 'GE T', 'GET\r\n', 'x'.repeat(REQUEST_METHOD_MAX + 1)]) {
    const must = "'http-request' contains 'method' with invalid value: must be the name of a method";
    table.push(['http-request', { method }, must]);
  }
  for (const method of ['CONNECT', 'trace'])
    table.push(['http-request', { method }, `'http-request' contains 'method' "${method}", which is not sent`]);
  for (const [name, value, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parsers[name](value)),
      message,
      `${name} ${JSON.stringify(value)}`,
    );
  }
});
