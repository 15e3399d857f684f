/** Sessions over streams: xhr_streaming, eventsource and htmlfile. */
import t from 'tap';
import { MAX_STREAM_BYTES } from '../../dist/sockjs/receiver.js';
import { SockJsFixture } from './sockjs-fixture.js';

t.test('xhr_streaming: a prelude, then frames as they come', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  const prelude = `${'h'.repeat(2_048)}\n`;
  t.strictSame(stream.chunks, [prelude, 'o\n']);
  t.equal(stream.header('content-type'), 'application/javascript; charset=UTF-8');
  t.equal(stream.header('cache-control'), 'no-store, no-cache, no-transform, must-revalidate, max-age=0');
  t.equal(stream.header('access-control-allow-origin'), '*');
  t.equal(stream.length, undefined);
  fixture.last.say('a');
  fixture.last.say('b');
  await fixture.turn();
  fixture.last.say('c');
  await fixture.turn();
  t.strictSame(stream.chunks.slice(2), ['a["a","b"]\n', 'a["c"]\n']);
  t.equal(stream.state, 'open');
});

t.test('eventsource and htmlfile', async (t) => {
  const fixture = new SockJsFixture();
  const events = fixture.ask('GET', '/echo/000/a/eventsource');
  fixture.last.say('  \u0000\n\r 50%');
  await fixture.turn();
  t.strictSame(events.chunks, ['\r\n', 'data: o\r\n\r\n', 'data: a["  \\u0000\\n\\r 50%25"]\r\n\r\n']);
  t.equal(events.header('content-type'), 'text/event-stream');
  const file = fixture.ask('GET', '/echo/000/b/htmlfile?c=cb');
  t.equal(file.chunks[1], '<script>\np("o");\n</script>\r\n');
  t.equal(file.header('content-type'), 'text/html; charset=UTF-8');
});

t.test('a stream ends after 128 KiB of frames, and the next goes on', async (t) => {
  const fixture = new SockJsFixture();
  const first = fixture.stream('s');
  fixture.last.say('x'.repeat(MAX_STREAM_BYTES - 9));
  await fixture.turn();
  t.equal(first.state, 'open');
  fixture.last.say('');
  await fixture.turn();
  t.equal(first.state, 'ended');
  fixture.last.say('more');
  fixture.clock.advance(4_000);
  const second = fixture.stream('s');
  t.strictSame(second.chunks.slice(1), ['a["more"]\n']);
  t.equal(fixture.opened.length, 1);
  t.strictSame(fixture.last.events, []);
});

t.test('heartbeats go on in a stream', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  fixture.clock.advance(25_000);
  fixture.clock.advance(25_000);
  t.strictSame(stream.chunks.slice(2), ['h\n', 'h\n']);
  fixture.clock.advance(20_000);
  fixture.last.say('a');
  await fixture.turn();
  fixture.clock.advance(24_999);
  t.equal(stream.chunks.length, 5, 'put off by a message');
  fixture.clock.advance(1);
  t.equal(stream.chunks.at(-1), 'h\n');
});

t.test('a slow client keeps messages waiting', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  stream.takes = false;
  fixture.last.say('a');
  await fixture.turn();
  stream.waiting = 10;
  fixture.last.say('b');
  await fixture.turn();
  t.equal(stream.chunks.at(-1), 'a["a"]\n');
  t.equal(fixture.waiting, 13, 'what the client has not taken, and what it has not been given');
  fixture.clock.advance(60_000);
  t.equal(stream.chunks.at(-1), 'a["a"]\n', 'no heartbeat on top');
  stream.drain();
  t.equal(stream.chunks.at(-1), 'a["b"]\n');
  t.equal(fixture.waiting, 0);
});

t.test('a second stream is told so, and ended', async (t) => {
  const fixture = new SockJsFixture();
  const first = fixture.stream('s');
  const second = fixture.stream('s');
  t.strictSame(second.chunks.slice(1), ['c[2010,"Another connection still open"]\n']);
  t.equal(second.state, 'ended');
  t.equal(first.state, 'open');
  first.leave();
  t.strictSame(fixture.last.events, ['close -']);
  t.equal(fixture.stream('s').chunks[1], 'c[1002,"Connection interrupted"]\n');
});

t.test('a close ends the stream, and the next', async (t) => {
  const fixture = new SockJsFixture();
  const first = fixture.stream('s');
  fixture.last.say('a');
  fixture.last.end(3000, 'Go away!');
  t.strictSame(first.chunks.slice(2), ['a["a"]\n', 'c[3000,"Go away!"]\n']);
  t.equal(first.state, 'ended');
  const second = fixture.stream('s');
  t.strictSame(second.chunks.slice(1), ['c[3000,"Go away!"]\n']);
  t.equal(second.state, 'ended');
});

t.test('a client too slow to take the close is cut off after 5 s', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  stream.takes = false;
  fixture.last.say('a');
  await fixture.turn();
  fixture.last.end(1000);
  fixture.clock.advance(5_000);
  t.equal(stream.state, 'aborted');
  t.equal(fixture.sessions, 0);
});

t.test('a client that goes away while it is told of the close', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  stream.takes = false;
  fixture.last.say('a');
  await fixture.turn();
  fixture.last.end(1000);
  stream.leave();
  t.equal(fixture.poll('s').text, 'c[1000,"Connection closed"]\n');
});

t.test('a session that is cut breaks its stream off; the next is told 410', async (t) => {
  const fixture = new SockJsFixture();
  const stream = fixture.stream('s');
  fixture.last.cut();
  t.equal(stream.state, 'aborted');
  t.match(fixture.stream('s'), { status: 410, text: 'Session terminated\n' });
});

t.test('a session may go from one transport to another', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s');
  const stream = fixture.stream('s');
  t.equal(stream.text.length, 2_049, 'the prelude does not wait for a message');
  fixture.last.say('a');
  await fixture.turn();
  t.strictSame(stream.chunks.slice(1), ['a["a"]\n']);
});
