import { STATUS_CODES } from 'node:http';
import t, { type Test } from 'tap';
import { WsOrigin } from '../../dist/sessions/ws-origin.js';
import type { MessageType } from '../../dist/websocket/message-socket.js';
import type { DialRequest } from '../../dist/websocket/ws-handshakes.js';
import type { SocketSettings } from '../../dist/websocket/ws-library.js';
import { closePayload, encodeFrame, opcodes } from '../kit/clients/raw-frames.js';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { dialTo } from '../websocket/open-socket.js';
import { type RawHandshake, RawOrigin } from '../websocket/raw-origin.js';
import { originSocketContract, type ScriptedServer, type ServerScript, type ServerSession } from './origin-contract.js';
import { OriginRecorder } from './origin-recorder.js';

const SETTINGS: SocketSettings = { websocketMessageMax: 16 * 1_048_576, allowCompression: false };

const lines = (headers: readonly string[]): string[] =>
  headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));

/** Plays a script on a connection, as a server that answers pings and closes by itself. */
async function play(script: ServerScript, other: RawSocket): Promise<void> {
  const session: ServerSession = {
    send: (type, data) => void other.send(opcodes[type], data),
    close: (code, reason) => void other.close(code, reason),
    cut: () => other.socket.destroy(),
  };
  script.onOpen?.(session);
  for (;;) {
    const frame = await other.frame().catch(() => undefined);
    if (frame === undefined) {
      script.onGone?.();
      other.end();
      return;
    }
    const { opcode, payload } = frame;
    if (opcode === opcodes.close) {
      script.onClose?.(payload.length < 2 ? undefined : payload.readUInt16BE(), payload.subarray(2).toString());
      await other.send(opcodes.close, payload);
      other.end();
      return;
    }
    if (opcode === opcodes.ping) void other.send(opcodes.pong, payload);
    const type = (Object.keys(opcodes) as (keyof typeof opcodes)[]).find((name) => opcodes[name] === opcode);
    script.onMessage?.({ type: type as MessageType, data: payload }, session);
  }
}

function answer(script: ServerScript, handshake: RawHandshake): RawSocket | undefined {
  if (script.refuse === undefined) return handshake.accept(lines(script.headers ?? []));
  const { status, headers, body } = script.refuse;
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines(headers), `Content-Length: ${body.length}`];
  handshake.answer(`${head.join('\r\n')}\r\n\r\n${body}`);
  return undefined;
}

async function start(t: Test, script: ServerScript): Promise<ScriptedServer> {
  const origin = await RawOrigin.listen(t);
  let open: RawSocket | undefined;
  void origin.next().then((handshake) => {
    open = answer(script, handshake);
    if (open !== undefined) void play(script, open);
  });
  return {
    dial: (owner) => {
      const socket = new WsOrigin(dialTo(origin.port), SETTINGS, owner);
      t.teardown(() => socket.abort());
      return socket;
    },
    stall: () => open?.pause(),
    go: () => open?.resume(),
  };
}

originSocketContract(t, 'ws-origin', start);

/** A handshake with a raw origin: what it saw, and who hears of the outcome. */
async function dial(t: Test, options: Partial<DialRequest> = {}, settings = SETTINGS) {
  const origin = await RawOrigin.listen(t);
  const recorder = new OriginRecorder();
  const socket = recorder.watch(new WsOrigin(dialTo(origin.port, options), settings, recorder));
  t.teardown(() => socket.abort());
  return { origin, recorder, socket, handshake: await origin.next() };
}

t.test('the path and query go out byte by byte', async (t) => {
  for (const path of ['/', '/a/../b%2F|?q="x"&r={}', '//double', '/caf\xe9?\xff', '/?', '/%', "/'`^<>[]"]) {
    const { handshake } = await dial(t, { path });
    t.equal(handshake.line, `GET ${path} HTTP/1.1`);
  }
});

t.test('header fields keep order, case, duplicates and bytes; those of the handshake are its own', async (t) => {
  const { handshake } = await dial(t, {
    headers: [
      ...['Host', 'chat.example:8080', 'X-Zeta', '1', 'x-alpha', '2', 'X-Twice', 'a', 'X-LATIN', 'J\xfcrgen'],
      ...['X-Twice', 'b', 'Cookie', 'a=1', 'Cookie', 'b=2', 'Connection', 'close', 'Upgrade', 'h2c'],
      ...['Sec-WebSocket-Key', 'the client’s', 'sec-websocket-version', '8', 'Sec-WebSocket-Extensions', 'x-client'],
      ...['Origin', 'https://a.example'],
    ],
  });
  const own = new Set(['connection', 'upgrade', 'sec-websocket-key', 'sec-websocket-version']);
  const rest = handshake.fields.filter((_, i) => !own.has((handshake.fields[i - (i % 2)] as string).toLowerCase()));
  t.strictSame(rest, [
    ...['Host', 'chat.example:8080', 'X-Zeta', '1', 'x-alpha', '2', 'X-Twice', 'a', 'X-Twice', 'b'],
    ...['X-LATIN', 'J\xfcrgen', 'Cookie', 'a=1; b=2', 'Origin', 'https://a.example'],
  ]);
  t.strictSame(handshake.values('connection'), ['Upgrade']);
  t.strictSame(handshake.values('upgrade'), ['websocket']);
  t.strictSame(handshake.values('sec-websocket-version'), ['13']);
  t.match(handshake.values('sec-websocket-key'), [/^[+/0-9A-Za-z]{22}==$/]);
});

for (const [says, extension, allowCompression, expected] of [
  ['nothing', '', false, []],
  ['grip', 'grip', false, ['grip']],
  ['compression', '', true, [/^permessage-deflate; \S.*$/]],
  ['both', 'grip', true, [/^grip, permessage-deflate; [^,]+$/]],
] as const) {
  t.test(`extensions offered: ${says}`, async (t) => {
    const { handshake } = await dial(t, { extension }, { ...SETTINGS, allowCompression });
    t.match(handshake.values('sec-websocket-extensions'), expected);
    t.equal(handshake.values('sec-websocket-extensions').length, expected.length);
  });
}

for (const [says, offered, chosen] of [
  ['one of those offered', 'a, b', 'b'],
  ['none of those offered', 'a, b', undefined],
  ['one that was not offered: the client will see to that', 'a', 'z'],
  ['one where none was offered', undefined, 'z'],
] as const) {
  t.test(`the origin may choose ${says}`, async (t) => {
    const headers = ['Host', 'test', ...(offered === undefined ? [] : ['Sec-WebSocket-Protocol', offered])];
    const { handshake, recorder } = await dial(t, { headers });
    t.strictSame(handshake.values('sec-websocket-protocol'), offered === undefined ? [] : [offered]);
    const other = handshake.accept(chosen === undefined ? [] : [`Sec-WebSocket-Protocol: ${chosen}`]);
    await recorder.saw('accepted');
    const fields = recorder.headers ?? [];
    const at = fields.indexOf('Sec-WebSocket-Protocol');
    t.equal(at < 0 ? undefined : fields[at + 1], chosen);
    await other.text('works');
    t.equal((await recorder.got(1))[0]?.data.toString(), 'works');
  });
}

t.test('the fields of an acceptance come as they are, extensions too', async (t) => {
  const { handshake, recorder } = await dial(t, { extension: 'grip' }, { ...SETTINGS, allowCompression: true });
  const extensions = 'permessage-deflate; client_no_context_takeover, grip; message-prefix="a,b"';
  handshake.accept(['X-TWO: a', 'X-Two: J\xfcrgen', `Sec-WebSocket-Extensions: ${extensions}`]);
  await recorder.saw('accepted');
  const fields = recorder.headers ?? [];
  t.strictSame(fields.slice(fields.indexOf('X-TWO')), [
    ...['X-TWO', 'a', 'X-Two', 'J\xfcrgen', 'Sec-WebSocket-Extensions', extensions],
  ]);
});

t.test('compression that was not offered fails the handshake', async (t) => {
  const { handshake, recorder } = await dial(t, { extension: 'grip' });
  handshake.accept(['Sec-WebSocket-Extensions: permessage-deflate']);
  await recorder.saw('failed ERR_ORIGIN_MALFORMED');
  t.equal(recorder.error?.repeat, 'no');
});

for (const [says, text] of [
  ['a wrong Sec-WebSocket-Accept', 'Upgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n'],
  ['no Sec-WebSocket-Accept', 'Upgrade: websocket\r\n'],
  ['another protocol', 'Upgrade: h2c\r\n'],
] as const) {
  t.test(`a 101 with ${says} fails the handshake (RFC 6455 §4.1)`, async (t) => {
    const { handshake, recorder } = await dial(t);
    handshake.answer(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${text}\r\n`, { close: false });
    await recorder.saw('failed ERR_ORIGIN_MALFORMED');
    t.equal(recorder.error?.repeat, 'no', 'and is not tried elsewhere: the origin has seen it');
    t.equal(recorder.ends.length, 1);
  });
}

for (const [says, text, code] of [
  ['nothing', '', 'ERR_ORIGIN_CLOSED'],
  ['half a head', 'HTTP/1.1 101 Switching', 'ERR_ORIGIN_CLOSED'],
  ['what is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'ERR_ORIGIN_MALFORMED'],
  ['half a refusal', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf', 'ERR_ORIGIN_CLOSED'],
] as const) {
  t.test(`an origin that answers with ${says} and closes fails the handshake`, async (t) => {
    const { handshake, recorder } = await dial(t);
    handshake.answer(text);
    await recorder.saw(`failed ${code}`);
    t.equal(recorder.error?.repeat, 'no');
    t.equal(recorder.error?.side, 'origin');
  });
}

for (const bytes of [0, 100_000, 100_001]) {
  const kept = bytes <= 100_000;
  t.test(`a refusal with ${bytes} bytes of body is ${kept ? 'kept' : 'replaced by a 500'}`, async (t) => {
    const { handshake, recorder } = await dial(t);
    handshake.answer(
      `HTTP/1.1 401 Who Are You\r\nX-A: 1\r\nX-a: 2\r\nContent-Length: ${bytes}\r\n\r\n${'b'.repeat(bytes)}`,
      { close: false },
    );
    await recorder.saw('rejected');
    const { head, body } = recorder.rejection as NonNullable<typeof recorder.rejection>;
    if (kept) {
      t.match(head, { status: 401, reason: 'Who Are You' });
      t.strictSame(head.headers, ['X-A', '1', 'X-a', '2', 'Content-Length', `${bytes}`]);
      t.ok(body.equals(Buffer.alloc(bytes, 'b')));
    } else {
      t.equal(head.status, 500);
      t.equal(body.toString(), 'Non-101 response body size exceeded limit of 100000 bytes.');
    }
  });
}

t.test('a refusal without a length ends with the connection; one in chunks is joined', async (t) => {
  for (const answer of ['\r\nall of it', 'Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n6\r\n of it\r\n0\r\n\r\n']) {
    const { handshake, recorder } = await dial(t);
    handshake.answer(`HTTP/1.1 404 Not Found\r\n${answer}`);
    await recorder.saw('rejected 404');
    t.equal(recorder.rejection?.body.toString(), 'all of it');
  }
});

for (const status of [200, 204, 301, 304, 426, 503]) {
  t.test(`an answer ${status} is a refusal like any other, and no redirect is followed`, async (t) => {
    const { handshake, recorder, origin } = await dial(t);
    handshake.answer(`HTTP/1.1 ${status} Such\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n`);
    await recorder.saw(`rejected ${status}`);
    t.equal(origin.connections, 1);
  });
}

t.test('a head of 60,000 bytes is taken', async (t) => {
  const { handshake, recorder } = await dial(t);
  handshake.accept([`X-Long: ${'l'.repeat(60_000)}`]);
  t.equal(await recorder.saw('accepted'), 'accepted');
});

t.test('a message and a Close in the segment of the 101 come after the acceptance', async (t) => {
  const { handshake, recorder } = await dial(t);
  const other = handshake.accept(
    [],
    Buffer.concat([encodeFrame(opcodes.text, 'bye'), encodeFrame(opcodes.close, closePayload(4000, 'done'))]),
  );
  await other.rest();
  other.end();
  await recorder.saw('closed 4000 done');
  t.strictSame(recorder.texts, ['text bye']);
  t.equal(recorder.ends[0], 'accepted');
});

t.test('an origin that breaks the protocol is told so, and lost', async (t) => {
  const { handshake, recorder } = await dial(t);
  const other = handshake.accept();
  await recorder.saw('accepted');
  await other.send(3, 'reserved');
  const [frame] = await other.rest();
  t.strictSame(frame?.payload, closePayload(1002));
  other.end();
  await recorder.saw('lost ERR_ORIGIN_MALFORMED');
});

t.test('a socket that was paused is read again when it is closed, up to the Close of the other side', async (t) => {
  const { handshake, recorder, socket } = await dial(t, {}, { ...SETTINGS, closeTimeout: 60_000 });
  const other = handshake.accept();
  await recorder.saw('accepted');
  socket.pause();
  await other.text('on its way');
  socket.close(1000, Buffer.alloc(0));
  t.equal((await other.frame()).opcode, opcodes.close);
  await other.close(1000);
  t.equal(await other.ended(), 'fin');
  await recorder.saw('closed 1000');
  t.strictSame(recorder.texts, ['text on its way']);
});
