/** Positions as text, and what new clients begin with. */
import t from 'tap';
import { parseChannels } from '../dist/channel.js';
import {
  formatPosition,
  MAX_INITIAL_ITEMS,
  parseInitial,
  parseInstructHeaders,
  parseInstructJson,
  parsePosition,
  parseWsControl,
} from '../dist/index.js';
import { messageOf } from './grip-error.js';

t.test('a position is an epoch, which may contain colons, and an offset', async (t) => {
  for (const position of [
    { epoch: 'm1x', offset: 0 },
    { epoch: '', offset: 7 },
    { epoch: 'a:b\n', offset: Number.MAX_SAFE_INTEGER },
  ]) {
    t.strictSame(parsePosition(formatPosition(position)), position);
  }
  for (const text of ['', '7', 'a:', 'a:-1', 'a:1.5', 'a:9007199254740993', 'a: 1'])
    t.equal(parsePosition(text), undefined, text);
});

t.test('initial is the last one, or so many, and since counts before it', async (t) => {
  t.equal(parseInitial(undefined, undefined), undefined);
  t.strictSame(parseInitial('last', undefined), { last: 1 });
  t.strictSame(parseInitial('10', undefined), { last: 10 });
  t.equal(parseInitial('0', undefined), undefined);
  t.strictSame(parseInitial('last', 'e:4'), { since: { epoch: 'e', offset: 4 } });
  for (const text of ['', 'first', '-1', '1.5', '1e3']) t.type(parseInitial(text, undefined), 'string', text);
  t.type(parseInitial('last', '4'), 'string');
});

t.test('more items than the limit are the last of them', async (t) => {
  t.strictSame(parseInitial(`${MAX_INITIAL_ITEMS + 1}`, undefined), { last: MAX_INITIAL_ITEMS });
});

t.test('a channel says it in the header, in JSON and in a control message', async (t) => {
  t.same(parseChannels(['a; initial=last, b; prev-id=1; initial=3, c; since=e:4']), [
    { name: 'a', filters: [], initial: { last: 1 } },
    { name: 'b', prevId: '1', filters: [], initial: { last: 3 } },
    { name: 'c', filters: [], initial: { since: { epoch: 'e', offset: 4 } } },
  ]);
  t.match(
    messageOf('ERR_GRIP_INSTRUCT', () => parseChannels(['a; initial=some'])),
    /channel 'a': 'initial' must be/,
  );
  const head = { status: 200, reason: 'OK', headers: [] };
  const channels = [
    { name: 'a', initial: 2 },
    { name: 'b', initial: 'last' },
    { name: 'c', since: 'e:4' },
  ];
  const instruct = parseInstructJson(head, Buffer.from(JSON.stringify({ hold: { channels } })));
  t.same(instruct.hold?.channels, [
    { name: 'a', filters: [], initial: { last: 2 } },
    { name: 'b', filters: [], initial: { last: 1 } },
    { name: 'c', filters: [], initial: { since: { epoch: 'e', offset: 4 } } },
  ]);
  t.equal(instruct.unknown, undefined);
  const control = (more: object) => parseWsControl(JSON.stringify({ type: 'subscribe', channel: 'a', ...more }));
  t.same(control({ initial: 5 }), { type: 'subscribe', channel: 'a', filters: [], initial: { last: 5 } });
  t.match(control({ initial: -1 }), { type: 'invalid', reason: /'initial' must be/ });
  t.match(control({ initial: true }), { type: 'invalid' });
});

t.test('Grip-Position asks for a position, and has no other value', async (t) => {
  const head = (value: string) => ({
    status: 200,
    reason: 'OK',
    headers: ['Grip-Channel', 'a', 'Grip-Position', value],
  });
  t.match(parseInstructHeaders(head('request')), { position: true, channels: [{ name: 'a' }] });
  t.match(
    messageOf('ERR_GRIP_INSTRUCT', () => parseInstructHeaders(head('yes'))),
    /Grip-Position/,
  );
  t.equal(parseInstructHeaders({ status: 200, reason: 'OK', headers: ['Grip-Channel', 'a'] }).position, undefined);
});
