/**
 * The contract of `OriginSocket` as tests. Every implementation runs it against a server of its own kind; what is
 * particular to one is tested beside it.
 *
 * The server acts only in answer to what the client sends: that is all that an origin asked over HTTP can do.
 */
import type { RawHeaders } from '@holdfast/grip';
import type { Test } from 'tap';
import type { OriginHandshakeOwner, OriginSocket } from '../../dist/sessions/origin-socket.js';
import type { MessageType } from '../../dist/websocket/message-socket.js';
import { settled, until } from '../kit/until.js';
import { type Message, OriginRecorder } from './origin-recorder.js';

/** The origin's end of one session. */
export interface ServerSession {
  send(type: MessageType, data: Buffer): void;
  /** Closes with just this code, even one that must not be sent; with none when undefined. */
  close(code?: number, reason?: string): void;
  /** Breaks off without a close. */
  cut(): void;
}

/** How the server behaves. */
export interface ServerScript {
  /** Refuses the handshake. */
  readonly refuse?: { readonly status: number; readonly headers: RawHeaders; readonly body: string | Buffer };
  /** Header fields of the answer that accepts. */
  readonly headers?: RawHeaders;
  /** The session is accepted. */
  onOpen?(session: ServerSession): void;
  onMessage?(message: Message, session: ServerSession): void;
  /** The client's close, `undefined` for one without a code. */
  onClose?(code: number | undefined, reason: string): void;
  /** The client's end without a close. */
  onGone?(): void;
}

/** A server that listens. */
export interface ScriptedServer {
  /** Starts a handshake with it. */
  dial(owner: OriginHandshakeOwner): OriginSocket;
  /** Takes nothing more from the client until `go`. */
  stall(): void;
  go(): void;
}

/** Starts a server of the kind that the implementation under test talks to. It ends with the test. */
export type StartServer = (t: Test, script: ServerScript) => Promise<ScriptedServer>;

/** A clause that waits for what never comes ends here. */
const CLAUSE_LIMIT_MS = 40_000;

const MIB = 1_048_576;

/** Lengths on both sides of every boundary of the framings (RFC 6455 §5.2), and the greatest that must pass. */
const LENGTHS = [0, 1, 125, 126, 65_535, 65_536, 200_000, MIB, 16 * MIB];

interface ContractFixture {
  readonly recorder: OriginRecorder;
  readonly socket: OriginSocket;
  readonly server: ScriptedServer;
}

/** Runs every clause of the contract. */
export function originSocketContract(t: Test, name: string, start: StartServer): void {
  t.setTimeout(20 * CLAUSE_LIMIT_MS);
  const clause = (
    says: string,
    run: (t: Test, open: (script: ServerScript) => Promise<ContractFixture>) => Promise<void>,
  ) => {
    t.test(`${name}: ${says}`, { timeout: CLAUSE_LIMIT_MS }, async (t) => {
      const recorder = new OriginRecorder();
      await run(t, async (script) => {
        const server = await start(t, script);
        return { recorder, server, socket: recorder.watch(server.dial(recorder)) };
      });
    });
  };
  /** The same, with the origin's acceptance awaited. */
  const session = (says: string, script: ServerScript, run: (t: Test, fixture: ContractFixture) => Promise<void>) =>
    clause(says, async (t, open) => {
      const fixture = await open(script);
      await fixture.recorder.saw('accepted');
      await run(t, fixture);
    });

  handshakeClauses(clause, session);
  messageClauses(session);
  endClauses(clause, session);
  flowClauses(session);
}

type Clause = (
  says: string,
  run: (t: Test, open: (script: ServerScript) => Promise<ContractFixture>) => Promise<void>,
) => void;
type SessionClause = (
  says: string,
  script: ServerScript,
  run: (t: Test, fixture: ContractFixture) => Promise<void>,
) => void;

function handshakeClauses(clause: Clause, session: SessionClause): void {
  const headers = ['Sec-WebSocket-Protocol', 'chat', 'X-Two', 'a', 'X-Two', 'b', 'Sec-WebSocket-Extensions', 'grip'];
  session('an acceptance comes with the header fields of the answer', { headers }, async (t, { recorder }) => {
    const fields = recorder.headers ?? [];
    for (let i = 0; i < headers.length; i += 2) {
      t.ok(
        fields.some((name, at) => name === headers[i] && fields[at + 1] === headers[i + 1]),
        `${headers[i]}: ${headers[i + 1]}`,
      );
    }
    t.same(recorder.ends, ['accepted']);
  });

  clause('a refusal comes with status, header fields and body', async (t, open) => {
    const { recorder } = await open({ refuse: { status: 403, headers: ['X-Why', 'no'], body: 'go away\n' } });
    await recorder.saw('rejected');
    t.equal(recorder.rejection?.head.status, 403);
    t.equal(recorder.rejection?.head.reason, 'Forbidden');
    t.equal(String(recorder.rejection?.body), 'go away\n');
    const fields = recorder.rejection?.head.headers ?? [];
    t.equal(fields[fields.indexOf('X-Why') + 1], 'no');
    t.same(recorder.ends, ['rejected 403'], 'and nothing more');
  });

  clause('a refusal whose body is too long becomes a 500 that says so', async (t, open) => {
    const { recorder } = await open({ refuse: { status: 403, headers: [], body: Buffer.alloc(150_000, 'x') } });
    await recorder.saw('rejected 500');
    t.match(String(recorder.rejection?.body), /^Non-101 response body size exceeded limit of \d+ bytes\./);
  });

  session(
    'what the origin sends right after accepting comes after the acceptance',
    {
      onOpen: (origin) => {
        origin.send('text', Buffer.from('first'));
        origin.send('text', Buffer.from('second'));
      },
    },
    async (t, { recorder }) => {
      await recorder.got(2);
      t.same(recorder.texts, ['text first', 'text second']);
    },
  );
}

function messageClauses(session: SessionClause): void {
  const echo: ServerScript = { onMessage: ({ type, data }, origin) => origin.send(type, data) };
  for (const type of ['text', 'binary'] as const) {
    session(`${type} messages of 0 bytes to 16 MiB pass intact both ways`, echo, async (t, { recorder, socket }) => {
      for (const [index, length] of LENGTHS.entries()) {
        const data = pattern(length, type);
        socket.send(type, data);
        const answer = (await recorder.got(index + 1))[index] as Message;
        t.equal(answer.type, type);
        t.ok(answer.data.equals(data), `${length} bytes`);
      }
    });
  }

  session('messages keep their order both ways, whatever their type', echo, async (t, { recorder, socket }) => {
    const sent = Array.from({ length: 300 }, (_, i) => ({
      type: i % 3 === 0 ? ('binary' as const) : ('text' as const),
      data: Buffer.from(i % 7 === 0 ? '' : `message ${i}`),
    }));
    for (const { type, data } of sent) socket.send(type, data);
    await recorder.got(sent.length);
    t.same(
      recorder.texts,
      sent.map(({ type, data }) => `${type} ${data}`),
    );
  });

  session(
    'a client’s ping reaches the origin with its payload, and one pong with it comes back',
    {
      onMessage: ({ type, data }, origin) => {
        if (type === 'ping') origin.send('text', Buffer.from(`pinged ${data}`));
      },
    },
    async (t, { recorder, socket }) => {
      socket.send('ping', Buffer.from('payload'));
      await recorder.got(2);
      t.same([...recorder.texts].sort(), ['pong payload', 'text pinged payload']);
    },
  );

  session(
    'an origin’s ping and pong come with their payload, of 0 to 125 bytes, and the client’s pong reaches it',
    {
      onMessage: ({ type, data }, origin) => {
        if (type === 'pong') origin.send('text', Buffer.from(`ponged ${data}`));
        else {
          origin.send('ping', Buffer.from('are you there'));
          origin.send('pong', Buffer.alloc(125, 'p'));
          origin.send('pong', Buffer.alloc(0));
        }
      },
    },
    async (t, { recorder, socket }) => {
      socket.send('text', Buffer.from('go'));
      await recorder.got(3);
      t.same(recorder.texts, ['ping are you there', `pong ${'p'.repeat(125)}`, 'pong ']);
      socket.send('pong', Buffer.from('I am'));
      await recorder.got(4);
      t.equal(recorder.texts[3], 'text ponged I am');
    },
  );
}

function endClauses(clause: Clause, session: SessionClause): void {
  const closing = (code?: number, reason?: string): ServerScript => ({
    onMessage: (_, origin) => {
      origin.send('text', Buffer.from('bye'));
      origin.close(code, reason);
    },
  });
  const closes: [says: string, script: ServerScript, end: RegExp][] = [
    ['with code and reason', closing(4001, 'enough ✓'), /^closed 4001 enough ✓$/],
    ['without a code', closing(), /^closed -$/],
    ['with a code that must not be sent: no code, or a broken session', closing(0), /^(closed -|lost ERR_\w+)$/],
  ];
  for (const [says, script, end] of closes) {
    session(`the origin closes ${says}; what it sent before still comes`, script, async (t, { recorder, socket }) => {
      socket.send('text', Buffer.from('go'));
      await until('an end', () => recorder.ends.length > 1);
      t.match(recorder.ends[1], end);
      t.same(recorder.texts, ['text bye']);
      socket.send('text', Buffer.from('too late'));
      socket.close(1000, Buffer.alloc(0));
      socket.abort();
      t.equal(recorder.ends.length, 2, 'calls after the end do nothing');
    });
  }

  for (const [says, code, reason, expected] of [
    ['with code and reason', 4002, 'done ✓', '4002 done ✓'],
    ['without a code', undefined, '', 'undefined '],
  ] as const) {
    clause(`the client closes ${says}: the origin gets it, after all messages before`, async (t, open) => {
      const got: string[] = [];
      const { recorder, socket } = await open({
        onMessage: ({ data }) => got.push(String(data)),
        onClose: (code, reason) => got.push(`${code} ${reason}`),
      });
      await recorder.saw('accepted');
      socket.send('text', Buffer.from('one'));
      socket.send('text', Buffer.from('two'));
      socket.close(code, Buffer.from(reason));
      await until('the close at the origin', () => got.length === 3);
      t.same(got, ['one', 'two', expected]);
    });
  }

  const cut: ServerScript = { onMessage: (_, origin) => origin.cut() };
  session('an origin that breaks off without a close is lost', cut, async (t, { recorder, socket }) => {
    socket.send('text', Buffer.from('go'));
    t.match(await recorder.saw('lost'), /^lost ERR_ORIGIN_/);
    t.equal(recorder.ends.length, 2);
  });

  clause('an abort reaches the origin as an end without a close, and silences the socket', async (t, open) => {
    const got: string[] = [];
    const { recorder, socket } = await open({
      onOpen: (origin) => origin.send('text', Buffer.from('hello')),
      onMessage: (_, origin) => origin.send('text', Buffer.from('echo')),
      onClose: () => got.push('close'),
      onGone: () => got.push('gone'),
    });
    await recorder.got(1);
    socket.abort();
    socket.send('text', Buffer.from('too late'));
    await until('the end at the origin', () => got.length > 0);
    t.same(got, ['gone']);
    t.same(recorder.ends, ['accepted']);
    t.same(recorder.texts, ['text hello']);
  });

  clause('an abort before the origin has answered silences the socket', async (t, open) => {
    let opened = 0;
    const { recorder, socket } = await open({ onOpen: () => opened++ });
    socket.abort();
    socket.abort();
    t.equal(await settled(() => recorder.ends.length), 0);
    t.ok(opened <= 1);
  });
}

function flowClauses(session: SessionClause): void {
  const got: Buffer[] = [];
  const collect: ServerScript = { onMessage: ({ data }) => got.push(data) };
  session(
    'an origin that takes nothing holds the client back, and all arrives when it goes on',
    collect,
    async (t, { recorder, socket, server }) => {
      server.stall();
      let sent = 0;
      // A turn between sends: connections buffer what they can first.
      while (sent < 4_000 && socket.send('binary', Buffer.alloc(65_536, sent++ % 251))) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      t.ok(sent < 4_000, `held back after ${sent} messages`);
      t.equal(await settled(() => recorder.writable), 0);
      server.go();
      await until('room', () => recorder.writable > 0);
      await until('all messages', () => got.length === sent);
      t.ok(
        got.every((data, i) => data.length === 65_536 && data[0] === i % 251),
        'in order and intact',
      );
      t.equal(recorder.writable, 1);
    },
  );

  const count = 80;
  const flood: ServerScript = {
    onMessage: (_, origin) => {
      for (let i = 0; i < count; i++) origin.send('binary', Buffer.alloc(262_144, i));
    },
  };
  session('a paused socket stops the flow, and loses nothing of it', flood, async (t, { recorder, socket }) => {
    recorder.react = () => {
      if (recorder.messages.length === 1) socket.pause();
    };
    socket.send('text', Buffer.from('go'));
    await recorder.got(1);
    t.ok((await settled(() => recorder.messages.length)) < count, `stopped after ${recorder.messages.length}`);
    socket.resume();
    await recorder.got(count);
    t.ok(recorder.messages.every(({ data }, i) => data.length === 262_144 && data[0] === i));
  });
}

/** Bytes in which a cut, a swap or a repetition shows; valid UTF-8 for text. */
function pattern(length: number, type: 'text' | 'binary'): Buffer {
  const data = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++)
    data[i] = type === 'text' ? 0x20 + ((i * 7 + (i >> 8)) % 90) : (i * 31 + (i >> 8)) & 0xff;
  return data;
}
