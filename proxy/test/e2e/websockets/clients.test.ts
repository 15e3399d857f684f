/**
 * The `ws` package and Node's own WebSocket as clients, on both kinds of origin: one that speaks WebSocket with the grip
 * extension, and one that is asked over HTTP and uses GRIP's own library.
 */
import { Publisher, WebSocketMessageFormat } from '@fanoutio/grip';
import t from 'tap';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { hashOf, patternOf } from '../../kit/pattern.js';
import { until } from '../../kit/until.js';
import { startNodeClient } from './node-client.js';

const MIB = 1_048_576;
/** Around every boundary of the length field (RFC 6455 §5.2), and the most that is allowed. */
const SIZES = [0, 1, 125, 126, 65_535, 65_536, MIB, 16 * MIB];

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`${kind} origin`, async (t) => {
    const { origin, holdfast } = await startEchoFixture(t, kind);
    const url = (path: string) => wsUrl(holdfast.clients, path);

    t.test('ws: text and binary messages come back as they were sent, in order', async (t) => {
      const client = await openWs(t, url('/echo?a=%20b'));
      await origin.saw('open /echo?a=%20b');
      const texts = ['one', '', 'zwei ✓ 𝒳', 'm:not a prefix', 'c:{"type":"detach"}', '{"a":1}\r\n'];
      for (const text of texts) client.send(text);
      client.send(Buffer.from([0, 255, 254, 10]));
      for (const text of texts) t.equal(await client.text(), text);
      t.match(await client.next(), { isBinary: true, data: Buffer.from([0, 255, 254, 10]) });
      t.equal(client.socket.extensions, '', 'the grip extension is between proxy and origin');
    });

    t.test('ws: messages of 0 bytes to 16 MiB, to the origin and back', async (t) => {
      const client = await openWs(t, url('/sizes'));
      for (const size of SIZES) {
        client.send(patternOf(size));
        const { data, isBinary } = await client.next();
        t.ok(isBinary && data.equals(patternOf(size)), `${size} bytes`);
      }
      for (const size of SIZES) {
        client.send(`!bytes ${size}`);
        t.ok((await client.next()).data.equals(patternOf(size)), `${size} bytes from the origin`);
      }
      t.equal(client.closed, undefined);
    });

    t.test('Node: text, binary and sizes of 0 bytes to 16 MiB', async (t) => {
      const bytes = SIZES.map((size) => ({ bytes: size }));
      const client = startNodeClient(t, url('/node'), [
        { send: 'zwei ✓ 𝒳' },
        ...bytes,
        { messages: SIZES.length + 1 },
        { close: [] },
      ]);
      t.strictSame(await client.end(), [
        { open: { protocol: '', extensions: '' } },
        { text: 'zwei ✓ 𝒳' },
        ...SIZES.map((size) => ({ bytes: size, hash: hashOf(patternOf(size)) })),
        { closed: { code: 1005, reason: '', wasClean: true } },
      ]);
      await origin.saw('close 1005');
    });

    t.test('what is published reaches subscribed clients of both makes, and nobody else', async (t) => {
      const client = await openWs(t, url('/subscribed'));
      const other = await openWs(t, url('/other'));
      const node = startNodeClient(t, url('/node'), [{ send: '!subscribe room' }, { send: 'done' }]);
      client.send('!subscribe room');
      client.send('done');
      t.equal(await client.text(), 'done', 'control messages are not for the client');
      await node.child.line(/^\{"text":"done"\}$/m);

      const publisher = new Publisher(`${holdfast.control}/`);
      await publisher.publishFormats('room', new WebSocketMessageFormat('by the library'));
      await publisher.publishFormats('room', new WebSocketMessageFormat(new Uint8Array([1, 0, 2])));
      const [receipt] = await holdfast.publish({ channel: 'room', formats: { 'ws-message': { content: 'by POST' } } });
      t.match(receipt, { subscribers: 2 });
      await publisher.publishFormats('nobody', new WebSocketMessageFormat('for nobody'));
      await publisher.publishFormats('room', new WebSocketMessageFormat(null, true, 4009));

      t.equal(await client.text(), 'by the library');
      t.match(await client.next(), { isBinary: true, data: Buffer.from([1, 0, 2]) });
      t.equal(await client.text(), 'by POST');
      t.strictSame(await client.end(), { code: 4009, reason: '' });
      t.strictSame((await node.end()).slice(2), [
        { text: 'by the library' },
        { bytes: 3, hash: hashOf(new Uint8Array([1, 0, 2])) },
        { text: 'by POST' },
        { closed: { code: 4009, reason: '', wasClean: true } },
      ]);
      await other.ping('still here');
      t.equal(other.untaken, 0);
    });

    t.test('published pings and pongs reach the client with their payload', async (t) => {
      const client = await openWs(t, url('/'));
      client.send('!subscribe beats');
      await client.ping('subscribed');
      await holdfast.publish(
        { channel: 'beats', formats: { 'ws-message': { type: 'ping', content: 'are you there' } } },
        { channel: 'beats', formats: { 'ws-message': { type: 'pong', content: 'unasked' } } },
      );
      await until('the ping and the pong', () => client.pings.length > 0 && client.pongs.includes('unasked'));
      t.strictSame(client.pings, ['are you there']);
    });

    t.test('the origin chooses one of the subprotocols that the client offers', async (t) => {
      const client = await openWs(t, url('/'), { protocols: ['chat.v2', 'chat.v1'] });
      t.equal(client.socket.protocol, 'chat.v2');
      const node = startNodeClient(t, url('/'), [{ close: [] }], { protocols: ['chat.v1', 'other'] });
      t.match(await node.end(), [{ open: { protocol: 'chat.v1' } }, { closed: { code: 1005 } }]);
    });

    t.test('close codes and reasons of the client reach the origin; none stays none', async (t) => {
      const cases: readonly (readonly [close: readonly [code?: number, reason?: string], line: string])[] = [
        [[], 'close 1005'],
        [[1000], 'close 1000'],
        [[4001, 'bye ✓'], 'close 4001 bye ✓'],
      ];
      for (const [close, line] of cases) {
        const before = origin.seen.filter((other) => other === line).length;
        const client = await openWs(t, url('/'));
        t.match(await client.close(...close), { code: close[0] ?? 1005 });
        await origin.saw(line, before + 1);
        const node = startNodeClient(t, url('/'), [{ close }]);
        t.match((await node.end())[1], { closed: { code: close[0] ?? 1005, wasClean: true } });
        await origin.saw(line, before + 2);
      }
    });

    t.test('close codes and reasons of the origin reach the client; none stays none', async (t) => {
      // Without an argument GRIP's library sends the code 0, which no Close frame can carry.
      const cases = [
        ['!close', { code: 1005, reason: '' }],
        ['!close 1000', { code: 1000, reason: '' }],
        ['!close 4001', { code: 4001, reason: '' }],
        ['!close 4002 bye ✓', { code: 4002, reason: 'bye ✓' }],
      ] as const;
      for (const [command, closed] of cases) {
        const client = await openWs(t, url('/'));
        client.send('last words');
        client.send(command);
        t.equal(await client.text(), 'last words');
        t.strictSame(await client.end(), closed, command);
        const node = startNodeClient(t, url('/'), [{ send: command }]);
        t.strictSame((await node.end())[1], { closed: { ...closed, wasClean: true } }, `Node: ${command}`);
      }
    });

    t.test('a ping of the client gets its pong, and the origin hears of it', async (t) => {
      const client = await openWs(t, url('/'));
      await client.ping('first');
      await client.ping('');
      await client.ping('x'.repeat(125));
      t.strictSame(client.pongs, ['first', '', 'x'.repeat(125)], 'one for each');
      await origin.saw('ping first');
      await origin.saw(`ping ${'x'.repeat(125)}`);
    });

    t.test('a ping of the origin reaches the client with its payload', async (t) => {
      const client = await openWs(t, url('/'));
      client.send('!ping from-the-origin');
      await until('the ping', () => client.pings.length > 0);
      t.strictSame(client.pings, ['from-the-origin']);
    });

    t.test('each session leaves one line in the log, and none is left', async (t) => {
      await holdfast.holds('ws', 0);
      const opened = await holdfast.metric('holdfast_holds_opened_total{kind="ws"}');
      const ends = () => holdfast.records().filter(({ kind, reason }) => kind === 'ws' && reason !== undefined);
      await until('the last line', () => ends().length >= opened);
      t.ok(opened > 20);
      t.equal(ends().length, opened);
    });
  });
}
