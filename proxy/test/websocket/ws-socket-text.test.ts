import t from 'tap';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { openSocket, roles } from './open-socket.js';

const { continuation, text, binary } = opcodes;

/** Hex, and what it is. */
type Row = readonly [hex: string, what: string];

const valid: readonly Row[] = [
  ['', 'nothing'],
  ['cebae1bdb9cf83cebcceb5', 'Greek'],
  ['00', 'NUL'],
  ['c280', 'the first of two bytes'],
  ['e0a080', 'the first of three bytes'],
  ['f0908080', 'the first of four bytes'],
  ['7f', 'the last of one byte'],
  ['dfbf', 'the last of two bytes'],
  ['efbfbf', 'U+FFFF, no character but well formed'],
  ['f48fbfbf', 'U+10FFFF'],
  ['ed9fbf', 'the last before the surrogates'],
  ['ee8080', 'the first after the surrogates'],
  ['efbfbd', 'the replacement character itself'],
  ['efbbbf61', 'a byte order mark, which is kept'],
];

const invalid: readonly Row[] = [
  ['cebae1bdb9cf83cebcceb5eda080656469746564', 'a surrogate in the middle'],
  ['80', 'a lone continuation byte'],
  ['bf', 'the last continuation byte alone'],
  ['808182838485868788898a8b8c8d8e8f90919293949596979899', 'many continuation bytes'],
  ['c0', 'a start of two without the second'],
  ['e08061', 'a sequence that is broken off by a letter'],
  ['cebae1', 'a message that ends within a character'],
  ['f09080', 'a message that ends within a character of four'],
  ['c0af', 'an overlong slash of two bytes'],
  ['e080af', 'an overlong slash of three bytes'],
  ['f08080af', 'an overlong slash of four bytes'],
  ['c1bf', 'the largest overlong of two bytes'],
  ['e09fbf', 'the largest overlong of three bytes'],
  ['f08fbfbf', 'the largest overlong of four bytes'],
  ['c080', 'an overlong NUL'],
  ['eda080', 'the first surrogate'],
  ['edbfbf', 'the last surrogate'],
  ['eda080edb080', 'a pair of surrogates'],
  ['f4908080', 'U+110000, beyond Unicode'],
  ['f888808080', 'a sequence of five bytes'],
  ['fc8480808080', 'a sequence of six bytes'],
  ['fe', 'the byte FE'],
  ['ff', 'the byte FF'],
];

for (const role of roles) {
  t.test(`${role}: text that is UTF-8 is passed on byte by byte`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    for (const [hex, what] of valid) {
      await other.send(text, Buffer.from(hex, 'hex'));
      t.equal((await listener.next())[0], 'text');
      t.equal(listener.data.toString('hex'), hex, what);
    }
  });

  t.test(`${role}: characters may be cut between fragments and segments`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    const bytes = Buffer.from('κόσμε €𐍈 end');
    const frames = [...bytes].map((byte, i) =>
      other.encode(i === 0 ? text : continuation, Buffer.from([byte]), { fin: i === bytes.length - 1 }),
    );
    await other.write(Buffer.concat(frames));
    t.strictSame(await listener.next(), ['text', bytes.toString()]);
    await other.chop(Buffer.concat(frames), 1);
    t.strictSame(await listener.next(), ['text', bytes.toString()]);
  });

  t.test(`${role}: bytes that are not UTF-8 are nobody's business in a binary message`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    for (const [hex, what] of invalid) {
      await other.send(binary, Buffer.from(hex, 'hex'));
      t.equal((await listener.next())[0], 'binary');
      t.equal(listener.data.toString('hex'), hex, what);
    }
  });

  for (const [hex, what] of invalid) {
    t.test(`${role}: text with ${what} fails the connection with 1007 (RFC 6455 §8.1)`, async (t) => {
      for (const fragmented of [false, true]) {
        const { listener, other } = await openSocket(t, role);
        const bytes = Buffer.from(hex, 'hex');
        if (fragmented) {
          await other.send(text, bytes.subarray(0, 1), { fin: false });
          await other.send(continuation, bytes.subarray(1));
        } else await other.send(text, bytes);
        t.strictSame((await other.rest()).map(closeCodeOf), [1007]);
        other.end();
        t.equal((await listener.next())[0], 'lost');
        t.strictSame(listener.heard, []);
      }
    });
  }
}
