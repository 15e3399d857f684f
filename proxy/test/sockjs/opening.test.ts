/** Opening sessions: what the origin is asked, and what becomes of its refusal. */
import t from 'tap';
import { SockJsFixture } from './sockjs-fixture.js';

t.test('where the origin is asked', async (t) => {
  const plain = new SockJsFixture();
  plain.ask('POST', '/echo/000/s1/xhr?t=5&u=%20');
  t.equal(plain.last.request.path, '/echo?t=5&u=%20');
  plain.ask('GET', '/echo/000/s2/jsonp?c=cb&t=1&callback=x');
  t.equal(plain.last.request.path, '/echo?t=1', 'without the callback');
  plain.ask('GET', '/echo/000/s3/jsonp?c=cb');
  t.equal(plain.last.request.path, '/echo');
  plain.askWebSocket('/echo/000/s4/websocket?t=1');
  t.equal(plain.last.request.path, '/echo/websocket?t=1');
  plain.askWebSocket('/echo/websocket');
  t.equal(plain.last.request.path, '/echo/websocket');

  const elsewhere = new SockJsFixture({ route: 'sockjs_as_path=/as' });
  elsewhere.ask('POST', '/echo/000/s1/xhr?t=5');
  t.equal(elsewhere.last.request.path, '/as?t=5');
  elsewhere.askWebSocket('/echo/000/s2/websocket');
  t.equal(elsewhere.last.request.path, '/as');
  elsewhere.askWebSocket('/echo/websocket');
  t.equal(elsewhere.last.request.path, '/as');
});

t.test('a request over HTTP is a handshake without the fields of its body', async (t) => {
  const fixture = new SockJsFixture();
  fixture.ask('POST', '/echo/000/s/xhr', 'ignored', [
    ...['Content-Type', 'text/plain', 'Content-Length', '7', 'Cookie', 'a=1'],
    ...['Sec-WebSocket-Protocol', 'x', 'Sec-WebSocket-Extensions', 'grip', 'Origin', 'http://page.test'],
  ]);
  t.match(fixture.last.request, { method: 'GET', body: undefined, host: 'sockjs.test' });
  const headers = ['Host', 'sockjs.test', 'Cookie', 'a=1', 'Origin', 'http://page.test'];
  t.strictSame(fixture.last.request.headers, headers);
});

t.test('the origin’s refusal is the answer, readable to scripts', async (t) => {
  const fixture = new SockJsFixture({ byHand: true });
  const answer = fixture.ask('POST', '/echo/000/s/xhr', '', ['Origin', 'http://page.test']);
  t.equal(answer.status, 0);
  fixture.last.refuse(403, ['Content-Type', 'text/x', 'Access-Control-Allow-Origin', 'http://other.test'], 'no');
  t.match(answer, { status: 403, text: 'no', state: 'ended' });
  t.equal(answer.header('content-type'), 'text/x');
  t.strictSame(
    answer.headers.filter((name) => /allow-origin/i.test(name)),
    ['Access-Control-Allow-Origin'],
  );
  t.equal(answer.header('access-control-allow-origin'), 'http://page.test');
  t.equal(fixture.sessions, 0);
  t.match(fixture.send('s', '["a"]'), { status: 404, text: 'Not Found\n' });
});

t.test('while the origin has not answered', async (t) => {
  const fixture = new SockJsFixture({ byHand: true });
  const first = fixture.poll('s');
  t.equal(fixture.poll('s').text, 'c[2010,"Another connection still open"]\n');
  t.match(fixture.send('s', '["a"]'), { status: 404 });
  t.ok(fixture.last.accept());
  t.equal(first.text, 'o\n');
  t.equal(fixture.opened.length, 1);
});

t.test('a client that goes meanwhile leaves nothing behind', async (t) => {
  const fixture = new SockJsFixture({ byHand: true });
  const answer = fixture.poll('s');
  answer.leave();
  t.strictSame(fixture.last.events, ['abort']);
  t.equal(fixture.sessions, 0);
  t.notOk(fixture.last.accept(), 'an acceptance comes too late');
  t.equal(fixture.clock.pending, 0);
});

t.test('jsonp without a function to call is refused', async (t) => {
  const fixture = new SockJsFixture();
  for (const query of ['', '?c=', '?c=alert(1)']) {
    const fault = query.includes('alert') ? 'invalid "callback" parameter\n' : '"callback" parameter required\n';
    t.match(fixture.ask('GET', `/echo/000/s/jsonp${query}`), { status: 500, text: fault }, query);
    t.match(fixture.ask('GET', `/echo/000/s/htmlfile${query}`), { status: 500, text: fault }, query);
  }
  t.equal(fixture.opened.length, 0);
});

t.test('a WebSocket at any other path is refused', async (t) => {
  const fixture = new SockJsFixture();
  for (const path of ['', '/', '/info', '/000/s/xhr', '/000/s.s/websocket', '/000//websocket']) {
    t.match(fixture.askWebSocket(`/echo${path}`).response, { status: 404, text: 'Not Found\n' }, path);
  }
  t.equal(fixture.opened.length, 0);
  t.match(fixture.ends[0], { status: 404 });
});

t.test('WebSockets share no session, and the raw one has no frames', async (t) => {
  const fixture = new SockJsFixture();
  const one = fixture.askWebSocket('/echo/000/s/websocket');
  const two = fixture.askWebSocket('/echo/000/s/websocket');
  const raw = fixture.askWebSocket('/echo/websocket');
  fixture.last.say('x');
  t.strictSame([one.socket.calls, two.socket.calls, raw.socket.calls], [['text o'], ['text o'], ['text x']]);
  t.equal(fixture.sessions, 0);
});

t.test('more sessions over HTTP than allowed are refused, until one has gone', async (t) => {
  const fixture = new SockJsFixture({ clientMaxconn: 2 });
  fixture.open('a');
  fixture.clock.advance(1_000);
  fixture.open('b');
  t.match(fixture.poll('c'), { status: 503, text: 'Too many sessions\n' });
  t.match(fixture.send('b', '["x"]'), { status: 204 });
  fixture.clock.advance(4_000);
  t.equal(fixture.poll('c').text, 'o\n');
  t.equal(fixture.sessions, 2);
});

t.test('where requests may go elsewhere too, sessions over HTTP are refused and WebSockets served', async (t) => {
  const fixture = new SockJsFixture({ isShared: true });
  t.match(fixture.poll('a'), { status: 503, text: 'Only WebSocket is served here\n' });
  t.match(fixture.send('a', '["x"]'), { status: 404 });
  t.strictSame(fixture.askWebSocket('/echo/000/s/websocket').socket.calls, ['text o']);
  t.equal(fixture.sessions, 0);
});
