import fc from 'fast-check';
import t from 'tap';
import { decodePacket, encodePacket, parseItem } from '../../dist/index.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const decode = (text: string) => decodePacket(Buffer.from(text, 'latin1'));

t.test('J is JSON, T a tnetstring, and without a letter it is a tnetstring too', async (t) => {
  t.same(decode('J{"channel":"c"}'), { channel: 'c' });
  t.same(decode('T14:7:channel,1:c,}'), { channel: Buffer.from('c') });
  t.same(decode('14:7:channel,1:c,}'), { channel: Buffer.from('c') });
});

t.test('an item is the same in all three', async (t) => {
  const item = { channel: 'c', id: '1', formats: { 'http-stream': { content: 'é\n' } } };
  const expected = parseItem(item);
  t.same(parseItem(decodePacket(encodePacket(item, 'json'))), expected);
  const packet = encodePacket(item, 'tnetstring');
  t.same(parseItem(decodePacket(packet)), expected);
  t.same(parseItem(decodePacket(packet.subarray(1))), expected);
});

t.test('anything else is refused', async (t) => {
  for (const text of ['', 'J', 'T', 'J1', 'J{', 'J{"a":"\xff"}', '{"channel":"c"}', 'K1:1#'])
    t.match(
      messageOf('ERR_GRIP_PACKET', () => decode(text)),
      /^not /,
      JSON.stringify(text),
    );
});

t.test('property: arbitrary bytes give a value, or an error with its code', async () => {
  const letters = fc.constantFrom('', 'J', 'T');
  fc.assert(
    fc.property(letters, fc.uint8Array(), (letter, bytes) => {
      valueOrGripError('ERR_GRIP_PACKET', () => decodePacket(Buffer.concat([Buffer.from(letter), bytes])));
    }),
  );
});
