import fc from 'fast-check';
import t from 'tap';
import {
  formatWsControl,
  parseGripExtension,
  parseWsControl,
  readOriginMessage,
  type WsControl,
  type WsMessageType,
} from '../../dist/index.js';
import { MAX_EXPIRES } from '../../dist/instruct/expires.js';

t.test('the extension is found alone, among others and in a repeated header', async (t) => {
  for (const values of [['grip'], [' grip '], ['a, grip'], ['a; b=1', 'grip, c'], ['a; b="grip, x", grip']]) {
    t.same(parseGripExtension(values), { messagePrefix: 'm:' }, values.join(' | '));
  }
});

t.test('without it there is no GRIP mode', async (t) => {
  for (const values of [[], [''], ['permessage-deflate'], ['gripped'], ['Grip'], ['a; grip'], ['a; b="x, grip"']]) {
    t.equal(parseGripExtension(values), undefined, values.join(' | '));
  }
});

t.test('message-prefix is quoted or not', async (t) => {
  const table: [string, string][] = [
    ['grip; message-prefix="X"', 'X'],
    ['grip;message-prefix=X', 'X'],
    ['grip ; foo=1; Message-Prefix=msg:', 'msg:'],
    ['grip; message-prefix="a, b; \\"c\\""', 'a, b; "c"'],
    ['grip; message-prefix="\xc5\xbe"', '\xc5\xbe'],
    ['grip; foo=1', 'm:'],
    ['grip; message-prefix=A, grip; message-prefix=B', 'A'],
  ];
  for (const [value, messagePrefix] of table) t.same(parseGripExtension([value]), { messagePrefix }, value);
});

t.test('an empty message-prefix is one', async (t) => {
  for (const value of [
    'grip; message-prefix=""',
    'grip; message-prefix=',
    'grip; message-prefix',
    'grip;message-prefix=;a',
  ]) {
    t.same(parseGripExtension([value]), { messagePrefix: '' }, value);
  }
});

t.test('parameters that cannot be parsed turn GRIP mode off', async (t) => {
  t.equal(parseGripExtension(['grip; message-prefix="x']), undefined);
});

t.test('no header makes it fail, and only one that names it turns GRIP mode on', async (t) => {
  const parts = fc.array(fc.constantFrom('grip', 'a', ';', ',', '=', '"', '\\', ' ', 'message-prefix'));
  fc.assert(
    fc.property(fc.array(parts.map((list) => list.join(''))), (values) => {
      if (!values.some((value) => value.includes('grip'))) t.equal(parseGripExtension(values), undefined);
      else parseGripExtension(values);
    }),
  );
});

t.test('a text that begins with c: is a control message, whatever the prefix', async (t) => {
  for (const prefix of ['m:', '', 'c:', 'c']) {
    t.same(readOriginMessage('text', Buffer.from('c:{"type":"ž"}'), prefix), { kind: 'control', text: '{"type":"ž"}' });
  }
  t.same(readOriginMessage('text', Buffer.from('c:'), 'm:'), { kind: 'control', text: '' });
});

t.test('a binary is never a control message', async (t) => {
  t.same(readOriginMessage('binary', Buffer.from('c:x'), 'm:'), { kind: 'dropped' });
  t.same(readOriginMessage('binary', Buffer.from('c:x'), ''), { kind: 'message', content: Buffer.from('c:x') });
});

t.test('the prefix is removed from texts and binaries, once', async (t) => {
  t.same(readOriginMessage('text', Buffer.from('m:m:hi'), 'm:'), { kind: 'message', content: Buffer.from('m:hi') });
  t.same(readOriginMessage('binary', Buffer.from('m:\xff', 'latin1'), 'm:'), {
    kind: 'message',
    content: Buffer.from([0xff]),
  });
  t.same(readOriginMessage('text', Buffer.from('m:'), 'm:'), { kind: 'message', content: Buffer.alloc(0) });
});

t.test('a message without the prefix is dropped', async (t) => {
  for (const text of ['', 'm', 'M:hi', ' m:hi', 'hi']) {
    t.same(readOriginMessage('text', Buffer.from(text), 'm:'), { kind: 'dropped' }, text);
  }
});

t.test('with an empty prefix everything but control messages is for the client', async (t) => {
  for (const text of ['', 'c', 'm:hi']) {
    t.same(readOriginMessage('text', Buffer.from(text), ''), { kind: 'message', content: Buffer.from(text) }, text);
  }
});

t.test('the prefix is compared as the bytes of the header', async (t) => {
  t.same(readOriginMessage('text', Buffer.from('žhi'), '\xc5\xbe'), { kind: 'message', content: Buffer.from('hi') });
  t.same(readOriginMessage('text', Buffer.from('žhi'), 'ž'), { kind: 'dropped' }, 'it is Latin-1, not Unicode');
});

t.test('any bytes behind any prefix arrive unchanged', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array(), (prefix, content) => {
      const message = Buffer.concat([prefix, content]);
      const latin1 = Buffer.from(prefix).toString('latin1');
      t.same(readOriginMessage('binary', message, latin1), { kind: 'message', content: Buffer.from(content) });
    }),
  );
});

const parse = (message: unknown) => parseWsControl(JSON.stringify(message));

t.test('each type of control message is read', async (t) => {
  const table: [unknown, WsControl][] = [
    [
      { type: 'subscribe', channel: 'room' },
      { type: 'subscribe', channel: 'room', filters: [] },
    ],
    [
      { type: 'subscribe', channel: 'ž, ;', filters: ['skip-self', 'what'] },
      { type: 'subscribe', channel: 'ž, ;', filters: ['skip-self', 'what'] },
    ],
    [
      { type: 'unsubscribe', channel: 'room', filters: 1 },
      { type: 'unsubscribe', channel: 'room' },
    ],
    [{ type: 'detach', channel: 1 }, { type: 'detach' }],
    [
      { type: 'session', id: 's1' },
      { type: 'session', id: 's1' },
    ],
    [{ type: 'session' }, { type: 'session' }],
    [{ type: 'session', id: '' }, { type: 'session' }],
    [
      { type: 'set-meta', name: 'user', value: 'alice' },
      { type: 'set-meta', name: 'user', value: 'alice' },
    ],
    [
      { type: 'set-meta', name: '__proto__', value: '' },
      { type: 'set-meta', name: '__proto__', value: '' },
    ],
    [
      { type: 'set-meta', name: 'user' },
      { type: 'set-meta', name: 'user' },
    ],
    [{ type: 'flush-delayed' }, { type: 'flush-delayed' }],
  ];
  for (const [message, control] of table) t.same(parse(message), control, JSON.stringify(message));
});

t.test('more filters than allowed are all given: the session is to be closed for them', async (t) => {
  const filters = ['a', 'b', 'c', 'd', 'e', 'f'];
  t.same(parse({ type: 'subscribe', channel: 'c', filters }), { type: 'subscribe', channel: 'c', filters });
});

t.test('a keep-alive is text, idle, after 55 seconds, unless it says otherwise', async (t) => {
  const base = { type: 'keep-alive', content: Buffer.from('{}'), messageType: 'text', timeout: 55, mode: 'idle' };
  t.same(parse({ type: 'keep-alive', content: '{}' }), base);
  t.same(parse({ type: 'keep-alive', content: '{}', timeout: 0 }), base, 'a timeout of 0 is the default');
  t.same(parse({ type: 'keep-alive', content: '{}', mode: 'often' }), base, 'an unknown mode is idle');
  t.same(parse({ type: 'keep-alive', content: '{}', timeout: '20', mode: 'interval', 'message-type': 'binary' }), {
    ...base,
    timeout: 20,
    mode: 'interval',
    messageType: 'binary',
  });
});

t.test('content-bin is base64, comes before content, and stays text by default where it is UTF-8', async (t) => {
  t.match(parse({ type: 'keep-alive', 'content-bin': '4oKs', content: 'x' }), {
    content: Buffer.from('€'),
    messageType: 'text',
  });
  t.match(parse({ type: 'send-delayed', 'content-bin': 'AP8=' }), {
    content: Buffer.from([0, 255]),
    messageType: 'binary',
  });
});

t.test('a keep-alive without content ends keep-alives; with empty content it does not', async (t) => {
  t.same(parse({ type: 'keep-alive', timeout: 'what' }), {
    type: 'keep-alive',
    messageType: 'text',
    timeout: 55,
    mode: 'idle',
  });
  t.match(parse({ type: 'keep-alive', content: '', 'message-type': 'ping' }), { content: Buffer.alloc(0) });
});

t.test('send-delayed waits for one second unless it says otherwise', async (t) => {
  const base = { type: 'send-delayed', content: Buffer.from('later'), messageType: 'text', timeout: 1 };
  t.same(parse({ type: 'send-delayed', content: 'later' }), base);
  t.same(parse({ type: 'send-delayed', content: 'later', timeout: 0 }), base);
  t.same(parse({ type: 'send-delayed', content: 'later', timeout: 30 }), { ...base, timeout: 30 });
  t.same(parse({ type: 'send-delayed', 'message-type': 'pong' }), {
    ...base,
    messageType: 'pong',
    content: Buffer.alloc(0),
  });
});

t.test('expire has a time from 0 up, or takes the last one back', async (t) => {
  t.same(parse({ type: 'expire', timeout: 0 }), { type: 'expire', timeout: 0 });
  t.same(parse({ type: 'expire', timeout: '90' }), { type: 'expire', timeout: 90 });
  t.same(parse({ type: 'expire', timeout: MAX_EXPIRES }), { type: 'expire', timeout: MAX_EXPIRES });
  t.same(parse({ type: 'expire' }), { type: 'expire' });
  for (const timeout of [null, -1, 'soon', MAX_EXPIRES + 1, 1_764_512_345, 'Sun, 06 Nov 1994 08:49:37 GMT'])
    t.match(parse({ type: 'expire', timeout }), { type: 'invalid', reason: /'timeout'/ }, `${timeout}`);
});

t.test('expire has a date in place of it', async (t) => {
  const date = 784_111_777_000;
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', ' Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    t.same(parse({ type: 'expire', date: text }), { type: 'expire', date }, text);
  t.same(parse({ type: 'expire', timeout: 5, date: 'Sun, 06 Nov 1994 08:49:37 GMT' }), { type: 'expire', date });
  for (const text of [null, date, '', 'soon', '784111777', 'Sun, 31 Feb 1994 08:49:37 GMT'])
    t.match(parse({ type: 'expire', date: text }), { type: 'invalid', reason: /'date'/ }, `${text}`);
});

t.test('RFC 6455 §5.5: a ping or pong holds 125 bytes', async (t) => {
  for (const type of ['keep-alive', 'send-delayed']) {
    for (const messageType of ['ping', 'pong']) {
      const message = { type, 'message-type': messageType, content: 'ž'.repeat(62) };
      t.match(parse({ ...message, content: `${message.content}a` }), { type });
      t.same(parse({ ...message, content: `${message.content}ž` }), {
        type: 'invalid',
        reason: `grip control object contains more than 125 bytes of content for a ${messageType}`,
      });
    }
  }
});

t.test('what cannot be read is not an exception but a reason', async (t) => {
  const table: [string, string][] = [
    ['', 'grip control message is not valid JSON'],
    ['{', 'grip control message is not valid JSON'],
    ['"subscribe"', 'grip control message is not valid JSON'],
    ['[]', 'grip control object is not an object but a list'],
    ['{}', "grip control object does not contain 'type'"],
    ['{"type":1}', "grip control object contains 'type' with wrong type: expected a string, got a number"],
    ['{"type":"set-hold"}', "'type' contains unknown value: set-hold"],
    ['{"type":"invalid","reason":"x"}', "'type' contains unknown value: invalid"],
    ['{"type":"subscribe"}', "grip control object does not contain 'channel'"],
    [
      '{"type":"subscribe","channel":""}',
      "grip control object contains 'channel' with invalid value: must be a text that is not empty",
    ],
    [
      '{"type":"unsubscribe","channel":null}',
      "grip control object contains 'channel' with wrong type: expected a string, got null",
    ],
    [
      '{"type":"subscribe","channel":"c","filters":"f"}',
      "grip control object contains 'filters' with wrong type: expected a list, got a string",
    ],
    [
      '{"type":"subscribe","channel":"c","filters":[1]}',
      'filters contains value with wrong type: expected a string, got a number',
    ],
    ['{"type":"session","id":7}', "grip control object contains 'id' with wrong type: expected a string, got a number"],
    ['{"type":"set-meta","value":"v"}', "grip control object does not contain 'name'"],
    [
      '{"type":"set-meta","name":"","value":"v"}',
      "grip control object contains 'name' with invalid value: must be a text that is not empty",
    ],
    [
      '{"type":"set-meta","name":"n","value":7}',
      "grip control object contains 'value' with wrong type: expected a string, got a number",
    ],
    [
      '{"type":"keep-alive","content":7}',
      "grip control object contains 'content' with wrong type: expected a string, got a number",
    ],
    [
      '{"type":"keep-alive","content-bin":7}',
      "grip control object contains 'content-bin' with wrong type: expected a string of base64, got a number",
    ],
    [
      '{"type":"keep-alive","content":"","timeout":-1}',
      "grip control object contains 'timeout' with invalid value: must be from 0 to 2147483647",
    ],
    [
      '{"type":"keep-alive","content":"","timeout":"x"}',
      "grip control object contains 'timeout' with wrong type: expected a whole number, got a string",
    ],
    [
      '{"type":"keep-alive","content":"","mode":1}',
      "grip control object contains 'mode' with wrong type: expected a string, got a number",
    ],
    [
      '{"type":"keep-alive","message-type":"x"}',
      `grip control object contains 'message-type' with unknown value "x", known are text, binary, ping, pong`,
    ],
    [
      '{"type":"send-delayed","content-bin":"-0","message-type":"text"}',
      "grip control object contains text content that is not UTF-8: expected UTF-8, or the type 'binary'",
    ],
    [
      '{"type":"keep-alive","content-bin":"4oI=","message-type":"text"}',
      "grip control object contains text content that is not UTF-8: expected UTF-8, or the type 'binary'",
    ],
    ['{"type":"send-delayed"}', "grip control object does not contain 'content' or 'content-bin'"],
  ];
  for (const [text, reason] of table) t.same(parseWsControl(text), { type: 'invalid', reason }, text);
});

const names = fc.string({ minLength: 1 });
const timeouts = fc.integer({ min: 1, max: 0x7fff_ffff });
const texts = fc.record({
  messageType: fc.constant<WsMessageType>('text'),
  content: fc.string().map((text) => Buffer.from(text)),
});
const others = fc.record({
  messageType: fc.constantFrom<WsMessageType>('binary', 'ping', 'pong'),
  content: fc.uint8Array({ maxLength: 125 }).map((array) => Buffer.from(array)),
});
const messages = fc.oneof(texts, others);
const controls: fc.Arbitrary<WsControl> = fc.oneof(
  fc.record({ type: fc.constant('subscribe' as const), channel: names, filters: fc.array(fc.string()) }),
  fc.record({ type: fc.constant('unsubscribe' as const), channel: names }),
  fc.record({ type: fc.constantFrom('detach' as const, 'flush-delayed' as const, 'session' as const) }),
  fc.record({ type: fc.constant('session' as const), id: names }),
  fc.record({ type: fc.constant('set-meta' as const), name: names }),
  fc.record({ type: fc.constant('set-meta' as const), name: names, value: fc.string() }),
  fc
    .tuple(messages, timeouts, fc.constantFrom('idle' as const, 'interval' as const))
    .map(([message, timeout, mode]) => ({ type: 'keep-alive' as const, ...message, timeout, mode })),
  fc.constant({ type: 'keep-alive', messageType: 'text', timeout: 55, mode: 'idle' } as const),
  fc.constant({ type: 'expire' } as const),
  fc.record({ type: fc.constant('expire' as const), timeout: fc.integer({ min: 0, max: MAX_EXPIRES }) }),
  fc.integer({ min: 0, max: 253_402_300_799 }).map((seconds) => ({ type: 'expire' as const, date: seconds * 1_000 })),
  fc.tuple(messages, timeouts).map(([message, timeout]) => ({ type: 'send-delayed' as const, ...message, timeout })),
);

t.test('written control messages are read back unchanged', async (t) => {
  fc.assert(fc.property(controls, (control) => void t.same(parseWsControl(formatWsControl(control)), control)));
});

t.test('any text and any JSON is a control message or a reason', async (t) => {
  const values = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null), fc.array(fc.string()));
  const types = ['subscribe', 'unsubscribe', 'session', 'set-meta', 'keep-alive', 'send-delayed', 'detach', 'expire'];
  const keys = [
    'channel',
    'filters',
    'id',
    'name',
    'value',
    'content',
    'content-bin',
    'message-type',
    'timeout',
    'date',
    'mode',
  ];
  const objects = fc
    .tuple(fc.constantFrom(...types), fc.dictionary(fc.constantFrom(...keys), values))
    .map(([type, rest]) => JSON.stringify({ ...rest, type }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), objects), (text) => {
      const control = parseWsControl(text);
      if (control.type === 'invalid') t.not(control.reason, '');
      else t.same(parseWsControl(formatWsControl(control)), control);
    }),
  );
});

t.test('a subscription may be to a pattern', async (t) => {
  const written = (control: WsControl) => parseWsControl(formatWsControl(control));
  for (const control of [
    { type: 'subscribe', channel: 'a-*', pattern: true, filters: ['skip-self'] },
    { type: 'unsubscribe', channel: 'a-*', pattern: true },
  ] as const)
    t.strictSame(written(control), control);
  t.strictSame(parseWsControl('{"type":"subscribe","channel":"a-*","pattern":false}'), {
    type: 'subscribe',
    channel: 'a-*',
    filters: [],
  });
  t.match(parseWsControl('{"type":"subscribe","channel":"a-*","pattern":1}'), { type: 'invalid' });
});
