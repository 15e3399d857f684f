import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { WsAcceptor } from '../../dist/websocket/ws-handshakes.js';
import { RawSocket } from '../kit/clients/raw-socket.js';

/** A server that accepts everything; `accepted` is told what came of it. */
async function listen(
  t: Test,
  allowCompression: boolean,
  accepted: (worked: boolean) => void = () => {},
): Promise<number> {
  const acceptor = new WsAcceptor({ websocketMessageMax: 65_536, allowCompression });
  const server = createServer();
  t.teardown(() => server.close());
  server.on('upgrade', (request: IncomingMessage, wire: Socket, early: Buffer) => {
    const socket = acceptor.accept(request.rawHeaders, wire, early, ['X-Own', 'kept']);
    t.teardown(() => socket?.abort());
    accepted(socket !== undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

const NEITHER_KEEPS = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

/** Offers of a client, and the answer when compression is on. */
const offers: readonly (readonly [offer: string, answer: string | undefined])[] = [
  ['permessage-deflate', NEITHER_KEEPS],
  ['permessage-deflate; client_max_window_bits', NEITHER_KEEPS],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', NEITHER_KEEPS],
  [
    'permessage-deflate; server_max_window_bits=10',
    'permessage-deflate; server_max_window_bits=10; server_no_context_takeover; client_no_context_takeover',
  ],
  ['x-webkit-deflate-frame, permessage-deflate', NEITHER_KEEPS],
  ['permessage-deflate; server_max_window_bits=99, permessage-deflate', undefined],
  ['permessage-deflate; unknown=1', undefined],
  ['permessage-deflate; client_max_window_bits=7', undefined],
  ['permessage-deflate; server_no_context_takeover=1', undefined],
  ['x-webkit-deflate-frame', undefined],
  ['grip', undefined],
  [';;,="', undefined],
];

for (const [offer, expected] of offers) {
  const outcome = expected === undefined ? 'declined, and the client accepted without it' : 'accepted';
  t.test(`the offer ${offer} is ${outcome} (RFC 7692 §7.1)`, async (t) => {
    const port = await listen(t, true);
    const { answer } = await RawSocket.ask(t, port, [`Sec-WebSocket-Extensions: ${offer}`]);
    t.equal(answer.status, 101);
    t.equal(answer.header('x-own'), 'kept');
    const parts = (text?: string) => text?.split(/; */).sort();
    t.strictSame(parts(answer.header('sec-websocket-extensions')), parts(expected));
  });

  t.test(`with compression off, the offer ${offer} is passed over`, async (t) => {
    const port = await listen(t, false);
    const { answer } = await RawSocket.ask(t, port, [`Sec-WebSocket-Extensions: ${offer}`]);
    t.strictSame([answer.status, answer.header('sec-websocket-extensions')], [101, undefined]);
  });
}

t.test('no subprotocol is chosen by itself', async (t) => {
  const port = await listen(t, false);
  const { answer } = await RawSocket.ask(t, port, ['Sec-WebSocket-Protocol: a, b']);
  t.strictSame([answer.status, answer.header('sec-websocket-protocol')], [101, undefined]);
});

t.test('a handshake that was not checked before is cut off rather than left hanging', async (t) => {
  const worked: boolean[] = [];
  const port = await listen(t, true, (accepted) => worked.push(accepted));
  await t.rejects(RawSocket.ask(t, port, ['Sec-WebSocket-Key: none']), /ended in the handshake/);
  t.strictSame(worked, [false]);
});
