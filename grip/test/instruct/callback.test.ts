/** Grip-Callback, and `callback` in JSON. */
import t from 'tap';
import { parseInstructHeaders } from '../../dist/instruct/headers.js';
import { parseInstructJson, unknownMembers } from '../../dist/instruct/json.js';
import { messageOf } from '../grip-error.js';

const head = (...headers: string[]) => ({ status: 200, reason: 'OK', headers });
const json = (document: object, ...headers: string[]) =>
  parseInstructJson(
    head('Content-Type', 'application/grip-instruct', ...headers),
    Buffer.from(JSON.stringify(document)),
  );

t.test('a callback has the channels of the answer, which is no hold', async (t) => {
  const instruct = parseInstructHeaders(
    head(
      'X-Own',
      '1',
      'Grip-Callback',
      '<https://c.example/hook?a,b;c>; id=42; secret="whsec_a;b"; ttl=60',
      'Grip-Channel',
      'a; filter=var-subst, b',
    ),
  );
  t.same(instruct.callback, {
    action: 'make',
    id: '42',
    url: 'https://c.example/hook?a,b;c',
    secret: 'whsec_a;b',
    ttl: 60,
    channels: [
      { name: 'a', filters: ['var-subst'] },
      { name: 'b', filters: [] },
    ],
  });
  t.equal(instruct.channels, undefined);
  t.equal(instruct.hold, undefined);
  t.strictSame(instruct.response.headers, ['X-Own', '1']);
});

t.test('cancel ends one, and needs no channel', async (t) => {
  t.same(parseInstructHeaders(head('Grip-Callback', 'cancel; id=42')).callback, { action: 'cancel', id: '42' });
  t.same(json({ callback: { cancel: true, id: '42' } }).callback, { action: 'cancel', id: '42' });
  t.equal(json({ response: {} }).callback, undefined);
});

t.test('in JSON its channels come beside those of Grip-Channel', async (t) => {
  const callback = { id: 'x', url: 'http://c.example', secret: 's', ttl: 5, channels: [{ name: 'b', filters: ['f'] }] };
  const instruct = json({ callback, response: { body: 'own' } }, 'Grip-Channel', 'a');
  t.same(instruct.callback, {
    action: 'make',
    ...callback,
    channels: [
      { name: 'a', filters: [] },
      { name: 'b', filters: ['f'] },
    ],
  });
  t.equal(instruct.response.body?.toString(), 'own');
  t.same(json({}, 'Grip-Callback', '<http://c>; id=1; secret=s', 'Grip-Channel', 'a').callback, {
    action: 'make',
    id: '1',
    url: 'http://c',
    secret: 's',
    channels: [{ name: 'a', filters: [] }],
  });
});

t.test('unknown members of it are named', async (t) => {
  const unknown = unknownMembers({ callback: { id: 1, uri: 2, channels: [{ name: 'a', prev: 1 }] } });
  t.match(unknown, [
    { where: 'callback', name: 'uri' },
    { where: 'channel', name: 'prev' },
  ]);
});

t.test('what is wrong with it is an error of the origin', async (t) => {
  const fields: [value: string[], message: string][] = [
    [['<http://c>; id=1; secret=s'], 'a callback without channels'],
    [['<http://c>; id=1', 'a'], "Grip-Callback does not contain 'secret'"],
    [['<http://c>; secret=s', 'a'], "Grip-Callback does not contain 'id'"],
    [['http://c; id=1; secret=s', 'a'], 'failed to parse Grip-Callback value'],
    [['<>; id=1; secret=s', 'a'], 'failed to parse Grip-Callback value'],
    [['<http://c>; id="1', 'a'], 'failed to parse Grip-Callback'],
    [['<http://c>; id=1; secret=s; ttl=0', 'a'], 'Grip-Callback ttl has invalid value'],
    [['<http://c>; id=1; secret=s; ttl=x', 'a'], 'Grip-Callback ttl has invalid value'],
    [['<http://c>x; id=1; secret=s', 'a'], 'failed to parse Grip-Callback'],
    [['<http://c; id=1; secret=s', 'a'], 'failed to parse Grip-Callback'],
    [['cancel', 'a'], "Grip-Callback does not contain 'id'"],
    [[`cancel; id=${'x'.repeat(1_025)}`, 'a'], 'callback id of more than 1024 characters'],
  ];
  for (const [[value = '', channel], message] of fields) {
    const channels = channel === undefined ? [] : ['Grip-Channel', channel];
    const parse = () => parseInstructHeaders(head('Grip-Callback', value, ...channels));
    t.equal(messageOf('ERR_GRIP_INSTRUCT', parse), message, value);
  }
  const twice = () => parseInstructHeaders(head('Grip-Callback', 'cancel; id=1', 'Grip-Callback', 'cancel; id=2'));
  t.equal(messageOf('ERR_GRIP_INSTRUCT', twice), 'Grip-Callback is there more than once');
  t.equal(parseInstructHeaders(head('Grip-Callback', '')).callback, undefined);
  const held = () =>
    parseInstructHeaders(
      head('Grip-Hold', 'stream', 'Grip-Channel', 'a', 'Grip-Callback', '<http://c>; id=1; secret=s'),
    );
  t.equal(messageOf('ERR_GRIP_INSTRUCT', held), 'a callback and a hold in one instruct');
  const documents: [object, string][] = [
    [{ id: 1 }, "callback contains 'id' with wrong type: expected a string, got a number"],
    [{}, "callback does not contain 'id'"],
    [{ id: 'a' }, "callback does not contain 'url'"],
    [{ id: 'a', url: 'u' }, "callback does not contain 'secret'"],
    [{ id: 'a', url: 'u', secret: 's' }, 'a callback without channels'],
    [
      { id: 'a', url: 'u', secret: 's', ttl: 0 },
      "callback contains 'ttl' with invalid value: must be from 1 to 2147483647",
    ],
  ];
  for (const [callback, message] of documents) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => json({ callback })),
      message,
      JSON.stringify(callback),
    );
  }
});
