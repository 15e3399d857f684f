import fc from 'fast-check';
import t from 'tap';
import { type Channel, parseChannels } from '../dist/channel.js';
import { channelNameFault, formatGripLast, headerFault, wireFromText } from '../dist/index.js';
import { messageOf } from './grip-error.js';
import { written } from './wire/written-element.js';

/** A channel as an origin writes it. */
function writtenChannel({ name, prevId, filters }: Channel): string {
  const params = filters.map((filter) => ['filter', wireFromText(filter)] as const);
  const ids = prevId === undefined ? [] : [['prev-id', wireFromText(prevId)] as const];
  return written({ value: wireFromText(name), params: [...ids, ...params] });
}

t.test('Grip-Channel names channels with prev-id and filters, repeated or comma separated', async (t) => {
  t.same(parseChannels(['room; prev-id=41; filter=skip-self; filter=build-id, b', 'c; Prev-Id="4;2"']), [
    { name: 'room', prevId: '41', filters: ['skip-self', 'build-id'] },
    { name: 'b', filters: [] },
    { name: 'c', prevId: '4;2', filters: [] },
  ]);
});

t.test('a comma in filter=a, b begins a second channel', async (t) => {
  t.same(parseChannels(['r; filter=skip-users, user-2; filter=require-sub']), [
    { name: 'r', filters: ['skip-users'] },
    { name: 'user-2', filters: ['require-sub'] },
  ]);
});

t.test('quotes become part of a channel name; filter must be in lower case', async (t) => {
  t.same(parseChannels(['"a,b"; Filter=x']), [{ name: '"a,b"', filters: [] }]);
});

t.test('names, ids and filters in UTF-8 equal those that JSON gives, down to the last byte', async (t) => {
  t.same(parseChannels([wireFromText('voilà; prev-id=é; filter=ü')]), [{ name: 'voilà', prevId: 'é', filters: ['ü'] }]);
  t.same(parseChannels(['\xe9']), [{ name: 'é', filters: [] }], 'Latin-1 where it is not UTF-8');
});

t.test('an element with unparsable parameters is skipped', async (t) => {
  t.same(parseChannels(['a; prev-id="x', 'b']), [{ name: 'b', filters: [] }]);
});

t.test('an empty prev-id is one', async (t) => {
  t.same(parseChannels(['a; prev-id=']), [{ name: 'a', prevId: '', filters: [] }]);
});

t.test('an element without a name, and more than five filters, are errors', async (t) => {
  for (const value of ['a,,b', '; prev-id=1', ' ']) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parseChannels([value])),
      'failed to parse Grip-Channel',
    );
  }
  const five = 'x; filter=a; filter=b; filter=c; filter=d; filter=e';
  t.equal(parseChannels([five])[0]?.filters.length, 5);
  t.equal(
    messageOf('ERR_GRIP_INSTRUCT', () => parseChannels([`${five}; filter=f`])),
    "too many filters for channel 'x'",
  );
});

t.test('a written channel is read back unchanged', async (t) => {
  const text = fc.string({ unit: 'grapheme' }).map((s) => s.replace(/\p{Cc}/gu, ''));
  const name = text.map((s) => `c${s.replace(/[;,"]/g, '')}.`);
  const channels: fc.Arbitrary<Channel> = fc
    .tuple(name, fc.option(text), fc.array(text, { maxLength: 5 }))
    .map(([name, prevId, filters]) => ({ name, ...(prevId !== null && { prevId }), filters }));
  fc.assert(
    fc.property(fc.array(channels), (list) => {
      t.same(parseChannels([list.map(writtenChannel).join(', ')]), list);
    }),
  );
});

t.test('Grip-Last is channel and last id, not escaped', async (t) => {
  t.equal(formatGripLast('room', '41'), 'room; last-id=41');
  t.equal(formatGripLast('a;b', '"1,2"'), 'a;b; last-id="1,2"');
  t.equal(formatGripLast('é', 'ü'), wireFromText('é; last-id=ü'));
});

t.test('Grip-Last cannot be used to inject a header', async (t) => {
  t.equal(formatGripLast('a\r\nX: y', '\0'), 'a  X: y; last-id= ');
  t.equal(
    formatGripLast('\u010d\u010a', '\u007f'),
    '\u00c4\u008d\u00c4\u008a; last-id= ',
    'bytes of UTF-8, not the low byte',
  );
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, (channel, id) => headerFault('Grip-Last', formatGripLast(channel, id)) === undefined),
  );
});

t.test('a name may have as many bytes as the limit, of whatever characters, and no control characters', async (t) => {
  for (const name of ['', 'x'.repeat(9), 'ééééx', '漢字漢', '𝒳𝒳x', 'a b~ '])
    t.equal(channelNameFault(name, 9), undefined, name);
  for (const name of ['x'.repeat(10), 'ééééé', '漢字漢x', '𝒳𝒳xx']) {
    t.equal(channelNameFault(name, 9), `channel name '${name}' is longer than 9 bytes (channel_name_max)`);
  }
  for (const code of [0, 9, 10, 13, 27, 31, 127, 128, 133, 159]) {
    const fault = "channel name 'a?' contains a control character (channel_name_max)";
    t.equal(channelNameFault(`a${String.fromCharCode(code)}`, 9), fault);
  }
  t.equal(channelNameFault('\0'.repeat(2_000), Number.POSITIVE_INFINITY), undefined, 'without a limit');
  t.ok((channelNameFault('é\0'.repeat(2_000), 9)?.length ?? 0) < 100, 'a text is short, whatever the name');
});

t.test('a name that is said to be a pattern is one, without a prev-id', async (t) => {
  t.strictSame(parseChannels(['orders-*; pattern, orders-*', 'a/*;prev-id=1;Pattern=x; filter=skip-self']), [
    { name: 'orders-*', isPattern: true, filters: [] },
    { name: 'orders-*', filters: [] },
    { name: 'a/*', isPattern: true, filters: ['skip-self'] },
  ]);
});
