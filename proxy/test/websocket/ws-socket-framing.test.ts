import t, { type Test } from 'tap';
import { closeCodeOf, type Frame, opcodes } from '../kit/clients/raw-frames.js';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { type Heard, openSocket, type Role, roles } from './open-socket.js';

const { continuation, text, binary, close, ping, pong } = opcodes;

/** What the other side sends, and what comes of it. */
interface Case {
  readonly says: string;
  readonly sends: (other: RawSocket) => readonly Buffer[];
  /** What the owner hears. */
  readonly hears?: readonly Heard[];
  /** The code with which the connection is then failed (RFC 6455 §7.1.7); without it, it stays open. */
  readonly fails?: number;
}

/** Sends a case's frames, all at once or byte by byte, and looks at what comes of them. */
async function play(t: Test, role: Role, { sends, hears = [], fails }: Case, chopped: boolean): Promise<void> {
  const { socket, listener, other } = await openSocket(t, role);
  const bytes = Buffer.concat(sends(other));
  if (chopped) await other.chop(bytes, 1);
  else await other.write(bytes);
  for (const expected of hears) t.strictSame(await listener.next(), expected);
  if (fails === undefined) {
    // Still open in both directions.
    await other.text('after');
    t.strictSame(await listener.next(), ['text', 'after']);
    socket.send('text', Buffer.from('answer'));
    t.strictSame(await other.brief(), [text, 'answer']);
    return;
  }
  const frames = await other.rest();
  t.strictSame(frames.map(brief), [[close, fails]], 'it says why, and ends the connection');
  other.end();
  const [kind, error] = await listener.next();
  t.equal(kind, 'lost');
  t.type(error, Error, 'its owner is told what was wrong');
  t.strictSame(listener.heard, []);
}

function brief(frame: Frame): [number, number | undefined] {
  return [frame.opcode, closeCodeOf(frame)];
}

const fragments = (other: RawSocket, opcode: number, parts: readonly string[]): Buffer[] =>
  parts.map((part, i) => other.encode(i === 0 ? opcode : continuation, part, { fin: i === parts.length - 1 }));

const controls: readonly Case[] = [
  { says: 'a ping without payload is passed on', sends: (o) => [o.encode(ping, '')], hears: [['ping', '']] },
  { says: 'the payload of a ping is kept', sends: (o) => [o.encode(ping, 'hello')], hears: [['ping', 'hello']] },
  {
    says: 'a ping of 125 bytes is passed on',
    sends: (o) => [o.encode(ping, 'p'.repeat(125))],
    hears: [['ping', 'p'.repeat(125)]],
  },
  { says: 'a ping of 126 bytes fails the connection', sends: (o) => [o.encode(ping, 'p'.repeat(126))], fails: 1002 },
  { says: 'a pong of 126 bytes fails the connection', sends: (o) => [o.encode(pong, 'p'.repeat(126))], fails: 1002 },
  { says: 'a pong that nobody asked for is passed on', sends: (o) => [o.encode(pong, 'un')], hears: [['pong', 'un']] },
  {
    says: 'ten pings in one segment keep their order',
    sends: (o) => Array.from({ length: 10 }, (_, i) => o.encode(ping, `${i}`)),
    hears: Array.from({ length: 10 }, (_, i) => ['ping', `${i}`] as const),
  },
  { says: 'a fragmented ping fails', sends: (o) => fragments(o, ping, ['a', 'b']), fails: 1002 },
  { says: 'a fragmented pong fails', sends: (o) => fragments(o, pong, ['a', 'b']), fails: 1002 },
  { says: 'a fragmented Close fails', sends: (o) => [o.encode(close, '', { fin: false })], fails: 1002 },
];

const reserved: readonly Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv): Case[] =>
    [text, binary, ping, close].map((opcode) => ({
      says: `reserved bits ${rsv.toString(2).padStart(3, '0')} on opcode ${opcode} fail`,
      sends: (o) => [o.encode(text, 'before'), o.encode(opcode, opcode === close ? '' : 'x', { rsv })],
      hears: [['text', 'before']],
      fails: 1002,
    })),
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode): Case[] =>
    ['', 'payload'].map((payload) => ({
      says: `reserved opcode ${opcode} ${payload === '' ? 'without' : 'with'} payload fails`,
      sends: (o) => [o.encode(text, 'before'), o.encode(opcode, payload), o.encode(ping, 'after')],
      hears: [['text', 'before']],
      fails: 1002,
    })),
  ),
];

const fragmented: readonly Case[] = [
  {
    says: 'two fragments of text are one message',
    sends: (o) => fragments(o, text, ['frag', 'ment']),
    hears: [['text', 'fragment']],
  },
  {
    says: 'fragments of binary are one message',
    sends: (o) => fragments(o, binary, ['a', 'b', 'c']),
    hears: [['binary', 'abc']],
  },
  {
    says: 'empty fragments are an empty message',
    sends: (o) => fragments(o, text, ['', '', '']),
    hears: [['text', '']],
  },
  {
    says: 'an empty fragment in the middle changes nothing',
    sends: (o) => fragments(o, text, ['a', '', 'b']),
    hears: [['text', 'ab']],
  },
  {
    says: 'pings and pongs between fragments are passed on at once',
    sends: (o) => {
      const [first, second, third] = fragments(o, text, ['1', '2', '3']) as [Buffer, Buffer, Buffer];
      return [first, o.encode(ping, 'between'), second, o.encode(pong, 'too'), third];
    },
    hears: [
      ['ping', 'between'],
      ['pong', 'too'],
      ['text', '123'],
    ],
  },
  {
    says: 'a continuation without a start fails',
    sends: (o) => [o.encode(continuation, 'lost', { fin: false }), o.encode(text, 'x')],
    fails: 1002,
  },
  { says: 'a last continuation without a start fails', sends: (o) => [o.encode(continuation, 'lost')], fails: 1002 },
  {
    says: 'a continuation after a whole message fails',
    sends: (o) => [...fragments(o, text, ['a', 'b']), o.encode(continuation, 'c', { fin: false })],
    hears: [['text', 'ab']],
    fails: 1002,
  },
  {
    says: 'a new message between fragments fails',
    sends: (o) => [o.encode(text, 'first', { fin: false }), o.encode(text, 'second')],
    fails: 1002,
  },
];

const lengths: readonly Case[] = [
  {
    says: 'a length above 2^53 fails',
    sends: (o) => {
      const frame = o.encode(binary, Buffer.alloc(65_536));
      frame.fill(0x7f, 2, 10);
      return [frame];
    },
    fails: 1009,
  },
];

for (const role of roles) {
  for (const frames of [...controls, ...reserved, ...fragmented, ...lengths]) {
    t.test(`${role}: ${frames.says}`, (t) => play(t, role, frames, false));
  }
  for (const frames of [...controls, ...fragmented]) {
    t.test(`${role}: ${frames.says}, also byte by byte`, (t) => play(t, role, frames, true));
  }
}

t.test('an unmasked frame of a client fails the connection (RFC 6455 §5.1)', (t) =>
  play(t, 'server', { says: '', sends: (o) => [o.encode(text, 'bare', { mask: false })], fails: 1002 }, false),
);

t.test('a masked frame of a server fails the connection (RFC 6455 §5.1)', (t) =>
  play(t, 'client', { says: '', sends: (o) => [o.encode(text, 'masked', { mask: true })], fails: 1002 }, false),
);

for (const role of roles) {
  t.test(`${role}: ${role === 'client' ? 'all' : 'none'} of its own frames are masked`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    for (const type of ['text', 'binary', 'ping', 'pong'] as const) socket.send(type, Buffer.from(type));
    socket.close(1000);
    for (const opcode of [text, binary, ping, pong, close]) {
      const frame = await other.frame();
      t.strictSame([frame.opcode, frame.masked, frame.fin, frame.rsv], [opcode, role === 'client', true, 0]);
    }
  });
}

t.test('what an owner sent is not changed by its masking', async (t) => {
  const { socket, other } = await openSocket(t, 'client');
  const data = Buffer.from('shared with others');
  socket.send('text', data);
  t.strictSame(await other.brief(), [text, 'shared with others']);
  t.equal(data.toString(), 'shared with others');
});
