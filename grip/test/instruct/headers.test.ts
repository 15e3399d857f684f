/** Fields that only look like GRIP's. */
import fc from 'fast-check';
import t from 'tap';
import { gripFields, parseInstructHeaders, type ResponseHead, unknownGripFields } from '../../dist/index.js';
import { messageOf, valueOrGripError } from '../grip-error.js';
import { growth, LINEAR_MAX } from '../growth.js';

function head(...headers: string[]): ResponseHead {
  return { status: 200, reason: 'OK', headers };
}

t.test(
  'a response hold has channels, 55 seconds unless it says otherwise, and the answer to its timeout',
  async (t) => {
    const headers = [
      'Content-Type',
      'text/plain',
      'Grip-Hold',
      'response',
      'Grip-Channel',
      'a',
      'Grip-Channel',
      'b, c',
    ];
    t.same(parseInstructHeaders(head(...headers)), {
      hold: {
        mode: 'response',
        channels: [
          { name: 'a', filters: [] },
          { name: 'b', filters: [] },
          { name: 'c', filters: [] },
        ],
        timeout: 55,
      },
      meta: {},
      links: {},
      response: { code: 200, reason: 'OK', headers: ['Content-Type', 'text/plain'] },
    });
  },
);

t.test('a stream hold takes its keep-alive, meta and links', async (t) => {
  const instruct = parseInstructHeaders(
    head(
      'Grip-Hold',
      'stream',
      'Grip-Keep-Alive',
      '\\n; format=cstring; timeout=20',
      'Grip-Keep-Alive',
      'ignored',
      'Grip-Set-Meta',
      'user=2, id_format="room:%(room)s, x"; y=z',
      'Grip-Set-Meta',
      'user="3"',
      'Grip-Link',
      '</next>; rel=next',
    ),
  );
  t.same(instruct.hold, {
    mode: 'stream',
    channels: [],
    timeout: 55,
    keepAlive: { content: Buffer.from('\n'), mode: 'idle', timeout: 20 },
  });
  t.same({ ...instruct.meta }, { user: '3', id_format: 'room:%(room)s, x' });
  t.same(instruct.links, { next: { uri: '/next', timeout: 120 } });
});

t.test('a hold timeout under five seconds is raised to five', async (t) => {
  for (const [text, timeout] of [
    ['0', 5],
    ['4', 5],
    ['5', 5],
    ['30', 30],
  ] as const) {
    t.equal(parseInstructHeaders(head('Grip-Hold', 'response', 'Grip-Timeout', text)).hold?.timeout, timeout);
  }
});

t.test('without Grip-Hold nothing is held, and the channels are those of a next link', async (t) => {
  const instruct = parseInstructHeaders(head('Grip-Channel', 'a; prev-id=1', 'Grip-Link', '</n>; rel=next', 'X', 'y'));
  t.equal(instruct.hold, undefined);
  t.same(instruct.channels, [{ name: 'a', prevId: '1', filters: [] }]);
  t.same(instruct.response.headers, ['X', 'y']);
});

t.test('Grip-Status replaces code and reason; the reason comes from the IANA table if it has none', async (t) => {
  const table: [string, number, string][] = [
    ['404 Nope', 404, 'Nope'],
    ['304', 304, 'Not Modified'],
    ['404 ', 404, 'Not Found'],
    ['599', 599, ''],
    ['', 200, 'OK'],
  ];
  for (const [value, code, reason] of table) {
    t.match(parseInstructHeaders(head('Grip-Status', value)).response, { code, reason }, value);
  }
});

t.test('without Grip-Status the response keeps its status', async (t) => {
  const { response } = parseInstructHeaders({ status: 403, reason: 'Go away', headers: ['Grip-Foo', 'x'] });
  t.match(response, { code: 403, reason: 'Go away' });
});

t.test('the client gets no Grip-* header and no framing, but all else in order, case and number', async (t) => {
  const instruct = parseInstructHeaders(
    head(
      'X-B',
      '1',
      'GRIP-Foo',
      'x',
      'Connection',
      'close, X-Hop',
      'Keep-Alive',
      'timeout=5',
      'Transfer-Encoding',
      'chunked',
      'Content-Length',
      '5',
      'x-hop',
      'y',
      'Set-Cookie',
      'a',
      'set-cookie',
      'b',
      'Content-Encoding',
      'gzip',
    ),
  );
  t.same(instruct.response.headers, ['X-B', '1', 'Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Encoding', 'gzip']);
});

t.test('Grip-Expose-Headers leaves only the headers it lists', async (t) => {
  const instruct = parseInstructHeaders(
    head('A', '1', 'B', '2', 'C', '3', 'Grip-Expose-Headers', 'a, C', 'Grip-X', ''),
  );
  t.same(instruct.exposeHeaders, ['a', 'c']);
  t.same(instruct.response.headers, ['A', '1', 'C', '3']);
  t.same(parseInstructHeaders(head('A', '1', 'Grip-Expose-Headers', '')).response.headers, ['A', '1']);
});

t.test('meta keys that are members of every object are only keys', async (t) => {
  const { meta } = parseInstructHeaders(head('Grip-Set-Meta', '__proto__=a, constructor=b'));
  t.same(Object.entries(meta), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
  t.equal(Object.getPrototypeOf(meta), null);
});

t.test('what is wrong with a header is an error of the origin, with its text', async (t) => {
  const table: [string, string, string][] = [
    ['Grip-Hold', 'foo', "Grip-Hold must be set to either 'response' or 'stream'"],
    ['Grip-Hold', 'Stream', "Grip-Hold must be set to either 'response' or 'stream'"],
    ['Grip-Hold', '', "Grip-Hold must be set to either 'response' or 'stream'"],
    ['Grip-Channel', 'a,,b', 'failed to parse Grip-Channel'],
    ['Grip-Channel', `x${'; filter=f'.repeat(6)}`, "too many filters for channel 'x'"],
    ['Grip-Timeout', 'soon', 'failed to parse Grip-Timeout'],
    ['Grip-Timeout', '', 'failed to parse Grip-Timeout'],
    ['Grip-Timeout', '99999999999', 'failed to parse Grip-Timeout'],
    ['Grip-Timeout', '-1', 'Grip-Timeout has invalid value'],
    ['Grip-Keep-Alive', 'x; mode=y', "no such Grip-Keep-Alive mode 'y'"],
    ['Grip-Set-Meta', 'a=b,,c=d', 'Grip-Set-Meta cannot be empty'],
    ['Grip-Status', 'OK', 'Grip-Status contains invalid status code'],
    ['Grip-Status', '1000', 'Grip-Status contains invalid status code'],
    ['Grip-Status', '-1', 'Grip-Status contains invalid status code'],
    ['Grip-Status', '100', 'Grip-Status contains invalid status code'],
    ['Grip-Status', ' 404', 'Grip-Status contains invalid status code'],
    ['Grip-Link', 'no-brackets; rel=next', 'failed to parse Grip-Link value'],
  ];
  for (const [name, value, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parseInstructHeaders(head(name, value))),
      message,
      `${name}: ${value}`,
    );
  }
});

t.test('the first error in the order hold, channel, timeout, keep-alive, meta, status, link is thrown', async (t) => {
  const bad = ['Grip-Link', 'x;y', 'Grip-Status', 'x', 'Grip-Timeout', 'x', 'Grip-Hold', 'x'];
  const messages = [];
  for (let length = bad.length; length > 0; length -= 2) {
    messages.push(
      messageOf('ERR_GRIP_INSTRUCT', () => parseInstructHeaders(head(...bad.slice(0, length))))
        .split(' ', 3)
        .join(' '),
    );
  }
  t.same(messages, ['Grip-Hold must be', 'failed to parse', 'Grip-Status contains invalid', 'failed to parse']);
});

const names = ['Hold', 'Channel', 'Timeout', 'Keep-Alive', 'Set-Meta', 'Status', 'Link', 'Expose-Headers', 'Foo'];
const parts = [
  'a',
  '=',
  ';',
  ',',
  '"',
  '\\',
  '<',
  '>',
  'stream',
  'response',
  '5',
  '-',
  ' ',
  '; rel=next',
  '; timeout=',
];

t.test('arbitrary bytes yield an instruct or a GripError', async (t) => {
  const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('latin1'));
  const syntax = fc.array(fc.constantFrom(...parts)).map((list) => list.join(''));
  const fields = fc.tuple(fc.constantFrom(...names), fc.oneof(bytes, syntax));
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 6 }), (list) => {
      const headers = list.flatMap(([name, value]) => [`Grip-${name}`, value]);
      const instruct = valueOrGripError('ERR_GRIP_INSTRUCT', () => parseInstructHeaders(head(...headers)));
      if (instruct) t.same(instruct.response.headers, []);
      if (instruct?.hold) t.ok(instruct.hold.timeout >= 5);
    }),
  );
});

t.test(
  'the work grows no faster than the head: Connection and Grip-Expose-Headers may name as many fields as there are',
  async (t) => {
    const ratio = await growth(500, (size) => {
      const names = Array.from({ length: size }, (_, i) => `f${i}`);
      const named = ['Connection', names.map((name) => `${name}c`).join(','), 'Grip-Expose-Headers', names.join(',')];
      const headers = [...named, 'Grip-Hold', 'stream', ...names.flatMap((name) => [`${name}x`, ''])];
      return () => parseInstructHeaders({ status: 200, reason: 'OK', headers });
    });
    t.ok(ratio < LINEAR_MAX, `${ratio}`);
  },
);

t.test('thousands of channels, of parameters and of meta: the work grows no faster than the head', async (t) => {
  const params = (size: number) => Array.from({ length: size }, (_, i) => `p${i}="v"`).join('; ');
  const fields: ((size: number) => string[])[] = [
    (size) => Array.from({ length: size }, (_, i) => ['Grip-Channel', `c${i}`]).flat(),
    (size) => ['Grip-Channel', Array.from({ length: size }, (_, i) => `c${i}`).join(',')],
    (size) => ['Grip-Channel', `c; ${params(size)}`],
    (size) => ['Grip-Set-Meta', Array.from({ length: size }, (_, i) => `m${i}=v`).join(',')],
    (size) => ['Grip-Link', `</n>; ${params(size)}; rel=next`],
    (size) => ['Grip-Keep-Alive', `x; ${params(size)}`],
    (size) => ['Grip-Channel', `c; p="${'\\"'.repeat(size)}`],
    (size) => ['Grip-Channel', '"'.repeat(size)],
  ];
  for (const field of fields) {
    const ratio = await growth(1_000, (size) => {
      const headers = ['Grip-Hold', 'stream', ...field(size)];
      return () => {
        try {
          parseInstructHeaders({ status: 200, reason: 'OK', headers });
        } catch {}
      };
    });
    t.ok(ratio < LINEAR_MAX, `${field(1)}: ${ratio}`);
  }
});

t.test('fields that begin with Grip- and mean nothing are named, as they were written', async (t) => {
  const headers = ['Grip-Chanel', 'a', 'Content-Type', 'text/plain', 'grip-hold', 'stream', 'GRIP-', ''];
  t.strictSame(unknownGripFields(headers), ['Grip-Chanel', 'GRIP-']);
  t.equal(parseInstructHeaders({ status: 200, reason: 'OK', headers }).hold?.mode, 'stream', 'and are passed over');
});

t.test('no field that means something is among them', async (t) => {
  const written = gripFields.flatMap((name) => [name, 'x', name.toLowerCase(), 'x', name.toUpperCase(), 'x']);
  t.strictSame(unknownGripFields(written), []);
});
