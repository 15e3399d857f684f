import t from 'tap';
import { MAX_CONTROL_PAYLOAD, wireFromText } from '../../dist/index.js';
import { parseHttpResponse, parseHttpStream, parseWsMessage } from '../../dist/item/formats.js';
import { messageOf } from '../grip-error.js';

const parsers = { 'http-response': parseHttpResponse, 'http-stream': parseHttpStream, 'ws-message': parseWsMessage };

t.test('http-response sends 200 OK unless it says otherwise', async (t) => {
  t.same(parseHttpResponse({ body: 'é' }), {
    action: 'send',
    code: 200,
    reason: 'OK',
    headers: [],
    body: Buffer.from('é'),
  });
  t.match(parseHttpResponse({ action: 'send', code: '404', body: '' }), { code: 404, reason: 'Not Found' });
  t.match(parseHttpResponse({ code: 404, reason: 'Nopé', body: '' }), { reason: wireFromText('Nopé') });
});

t.test('http-response headers are an object or pairs, as Latin-1 strings of their UTF-8 bytes', async (t) => {
  t.match(parseHttpResponse({ headers: { A: 'é' }, body: '' }), { headers: ['A', wireFromText('é')] });
  const pairs = [
    ['B', '1'],
    ['A', '2'],
    ['B', '3'],
  ];
  t.match(parseHttpResponse({ headers: pairs, body: '' }), { headers: pairs.flat() });
});

t.test('http-response takes body-bin before body before body-patch', async (t) => {
  const patch = [{ op: 'test', path: '/a', value: 1 }];
  t.match(parseHttpResponse({ 'body-bin': 'AP8=', body: 'x', 'body-patch': patch }), { body: Buffer.from([0, 255]) });
  t.match(parseHttpResponse({ body: 'x', 'body-patch': patch }), { body: Buffer.from('x') });
  t.match(parseHttpResponse({ 'body-patch': patch }), { bodyPatch: JSON.stringify(patch), body: undefined });
});

t.test('http-stream takes content-bin before content', async (t) => {
  t.same(parseHttpStream({ 'content-bin': 'AP8=', content: 'x' }), { action: 'send', content: Buffer.from([0, 255]) });
  t.same(parseHttpStream({ content: '' }), { action: 'send', content: Buffer.alloc(0) });
});

t.test('ws-message content is text, content-bin is binary, and type overrides both', async (t) => {
  t.same(parseWsMessage({ content: 'x' }), { action: 'send', type: 'text', content: Buffer.from('x') });
  t.match(parseWsMessage({ 'content-bin': 'AA==' }), { type: 'binary', content: Buffer.from([0]) });
  t.match(parseWsMessage({ 'content-bin': 'AA==', type: 'text' }), { type: 'text' });
  t.match(parseWsMessage({ content: 'x', type: 'binary' }), { type: 'binary' });
});

t.test('RFC 6455 §8.1: the content of a text is UTF-8', async (t) => {
  t.match(parseWsMessage({ 'content-bin': '4oKs', type: 'text' }), { type: 'text', content: Buffer.from('€') });
  for (const content of ['-0', '4oI=', '7aCA']) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parseWsMessage({ 'content-bin': content, type: 'text' })),
      "'ws-message' contains text content that is not UTF-8: expected UTF-8, or the type 'binary'",
    );
    t.match(parseWsMessage({ 'content-bin': content }), { type: 'binary' });
  }
});

t.test('ws-message pings and pongs need no content and take what a control frame holds', async (t) => {
  for (const type of ['ping', 'pong']) {
    t.same(parseWsMessage({ type }), { action: 'send', type, content: Buffer.alloc(0) });
    t.ok(parseWsMessage({ type, content: 'x'.repeat(MAX_CONTROL_PAYLOAD) }));
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parseWsMessage({ type, content: 'x'.repeat(MAX_CONTROL_PAYLOAD + 1) })),
      `'ws-message' contains more than 125 bytes of content for a ${type}`,
    );
  }
});

t.test('ws-message closes with a code and a reason, or without', async (t) => {
  t.same(parseWsMessage({ action: 'close' }), { action: 'close' });
  t.same(parseWsMessage({ action: 'close', code: '4001', reason: 'é' }), { action: 'close', code: 4001, reason: 'é' });
  t.same(parseWsMessage({ action: 'close', code: 0, reason: '' }), { action: 'close', code: 0 });
});

t.test('members that an action does not use are not looked at', async (t) => {
  for (const [name, parse] of Object.entries(parsers)) {
    for (const action of ['hint', 'refresh']) {
      t.same(parse({ action, code: null, headers: 5, content: null, body: 1 }), { action }, name);
    }
  }
  t.same(parseHttpResponse({ action: 'close', body: 1 }), { action: 'close' });
  t.same(parseHttpStream({ action: 'close', content: 1 }), { action: 'close' });
  t.same(parseWsMessage({ action: 'close', content: 1 }), { action: 'close' });
});

t.test('content-filters are kept in order; an empty list is not the same as none', async (t) => {
  for (const parse of Object.values(parsers)) {
    const content = { content: 'x', body: 'x' };
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
  for (const [name, value, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parsers[name](value)),
      message,
      `${name} ${JSON.stringify(value)}`,
    );
  }
});
