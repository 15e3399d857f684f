/** The answers that belong to no session, and the fields of all answers. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { FakeBody, SockJsFixture } from './sockjs-fixture.js';

const NO_CACHE = 'no-store, no-cache, no-transform, must-revalidate, max-age=0';

t.test('the greeting', async (t) => {
  const fixture = new SockJsFixture();
  for (const path of ['/echo', '/echo/']) {
    const answer = fixture.ask('GET', path);
    t.match(answer, { status: 200, text: 'Welcome to SockJS!\n' });
    t.equal(answer.header('content-type'), 'text/plain; charset=UTF-8');
  }
});

t.test('info', async (t) => {
  const fixture = new SockJsFixture();
  const answer = fixture.ask('GET', '/echo/info', undefined, ['Origin', 'http://page.test']);
  t.match(answer.text, /^\{"cookie_needed":false,"entropy":\d+,"origins":\["\*:\*"\],"websocket":true\}\n$/);
  t.equal(answer.status, 200);
  t.equal(answer.header('content-type'), 'application/json; charset=UTF-8');
  t.equal(answer.header('cache-control'), NO_CACHE);
  t.equal(answer.header('access-control-allow-origin'), 'http://page.test');
  t.equal(answer.header('access-control-allow-credentials'), 'true');
  t.equal(answer.header('access-control-allow-headers'), undefined);
  t.not(fixture.ask('GET', '/echo/info').text, answer.text, 'the entropy is new each time');
});

t.test('the iframe page', async (t) => {
  const fixture = new SockJsFixture();
  const answer = fixture.ask('GET', '/echo/iframe-1.html?t=1');
  t.equal(answer.status, 200);
  t.equal(answer.header('content-type'), 'text/html; charset=UTF-8');
  t.equal(answer.header('cache-control'), 'public, max-age=31536000');
  t.ok(answer.header('expires'));
  const etag = `"${createHash('md5').update(answer.text).digest('hex')}"`;
  t.equal(answer.header('etag'), etag);
  t.match(answer.text, '<script src="http://cdn.test/sockjs.js?a=1&amp;b=&quot;2&quot;"></script>');
  t.match(answer.text, 'SockJS.bootstrap_iframe();');

  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const again = fixture.ask('GET', '/echo/iframe.html', undefined, ['If-None-Match', known]);
    t.match(again, { status: 304, text: '' }, known);
    t.equal(again.header('etag'), etag);
    t.equal(again.header('content-type'), undefined);
  }
  t.equal(fixture.ask('GET', '/echo/iframe.html', undefined, ['If-None-Match', '"x"']).status, 200);
});

t.test('OPTIONS of any path', async (t) => {
  const fixture = new SockJsFixture();
  const methods: Record<string, string> = {
    '/info': 'OPTIONS, GET',
    '/000/s/xhr': 'OPTIONS, POST',
    '/000/s/xhr_send': 'OPTIONS, POST',
    '/000/s/xhr_streaming': 'OPTIONS, POST',
    '/000/s/eventsource': 'OPTIONS, GET',
    '/000/s/jsonp': 'OPTIONS, GET, POST',
    '/no/such/place/at/all': 'OPTIONS, GET',
  };
  for (const [path, allowed] of Object.entries(methods)) {
    const answer = fixture.ask('OPTIONS', `/echo${path}`, undefined, [
      ...['Origin', 'http://page.test'],
      ...['Access-Control-Request-Headers', 'a, b, c d'],
    ]);
    t.match(answer, { status: 204, text: '', state: 'ended' }, path);
    t.equal(answer.header('content-type'), 'text/plain; charset=UTF-8');
    t.equal(answer.header('cache-control'), 'public, max-age=31536000');
    t.equal(answer.header('access-control-max-age'), '31536000');
    t.equal(answer.header('access-control-allow-methods'), allowed);
    t.equal(answer.header('access-control-allow-headers'), 'a, b');
    t.equal(answer.header('access-control-allow-origin'), 'http://page.test');
    t.equal(answer.header('expires'), new Date(fixture.clock.wall() + 31_536_000_000).toUTCString());
  }
  t.equal(fixture.opened.length, 0);
});

t.test('everything else is 404', async (t) => {
  const fixture = new SockJsFixture();
  const others: [string, string][] = [
    ['GET', '/a'],
    ['GET', '//'],
    ['GET', '/a/a/'],
    ['POST', '/info'],
    ['POST', ''],
    ['POST', '/iframe.html'],
    ['GET', '/0/s/xhr'],
    ['GET', '/0/s/xhr_send'],
    ['POST', '/0/s/eventsource'],
    ['PUT', '/0/s/jsonp?c=x'],
    ['HEAD', '/0/s/jsonp?c=x'],
    ['POST', '/0/s.s/xhr'],
  ];
  for (const [method, path] of others) {
    const answer = fixture.ask(method, `/echo${path}`);
    t.match(answer, { status: 404, text: 'Not Found\n' }, `${method} ${path}`);
    t.equal(answer.header('cache-control'), NO_CACHE);
    t.equal(answer.header('access-control-allow-origin'), '*');
  }
  t.equal(fixture.opened.length, 0);
  t.equal(fixture.ends.length, others.length, 'each is reported');
  t.match(fixture.ends[0], { status: 404, bytes: 10, secure: false, error: undefined });
});

t.test('a body of more than 100,000 bytes is refused', async (t) => {
  const fixture = new SockJsFixture();
  const tooLarge = { status: 400, text: 'Request too large.\n' };
  t.match(fixture.ask('POST', '/echo/0/s/xhr_send', new FakeBody(100_001)), tooLarge, 'by its length');
  const chunked = new FakeBody();
  const answer = fixture.ask('POST', '/echo/0/s/xhr', chunked);
  t.equal(answer.status, 0, 'nothing happens before the body is whole');
  chunked.sink?.onData(Buffer.alloc(100_000));
  t.equal(answer.status, 0);
  chunked.sink?.onData(Buffer.alloc(1));
  t.match(answer, tooLarge, 'by its bytes');
  chunked.sink?.onData(Buffer.alloc(1));
  chunked.sink?.onEnd();
  const broken = new FakeBody();
  const unanswered = fixture.ask('POST', '/echo/0/s/xhr', broken);
  broken.sink?.onData(Buffer.alloc(1));
  broken.sink?.onAbort();
  t.equal(unanswered.status, 0);
  t.equal(fixture.opened.length, 0);
});

t.test(
  'where every site may ask, so may a page without an origin; and Vary names Origin on every answer',
  async (t) => {
    const fixture = new SockJsFixture();
    for (const [method, path] of [
      ['GET', '/echo/info'],
      ['OPTIONS', '/echo/000/s/xhr'],
      ['GET', '/echo/nothing'],
      ['GET', '/echo/iframe.html'],
      ['POST', '/echo/000/none/xhr_send'],
    ] as const) {
      for (const [headers, allowed, credentials] of [
        [['Origin', 'null'], 'null', 'true'],
        [['Origin', 'x'], 'x', 'true'],
        [[], '*', undefined],
        [['Origin', '*'], '*', undefined],
        [['Origin', 'a, b'], '*', undefined],
        [['Origin', 'null', 'Origin', 'x'], '*', undefined],
      ] as const) {
        const answer = fixture.ask(method, path, undefined, headers);
        t.equal(answer.header('access-control-allow-origin'), allowed);
        t.equal(answer.header('access-control-allow-credentials'), credentials);
        t.match(answer.header('vary'), 'Origin');
        t.equal(answer.header('x-content-type-options'), 'nosniff');
      }
    }
  },
);

t.test('where WebSockets are, a plain GET is 400 and anything else 405', async (t) => {
  const fixture = new SockJsFixture();
  for (const path of ['/echo/websocket', '/echo/0/s/websocket']) {
    t.match(fixture.ask('GET', path), { status: 400, text: 'Can "Upgrade" only to "WebSocket".\n' });
    for (const method of ['POST', 'PUT', 'HEAD']) {
      const answer = fixture.ask(method, path);
      t.match(answer, { status: 405, text: '', state: 'ended' }, method);
      t.equal(answer.header('allow'), 'GET');
      t.equal(answer.header('content-type'), undefined);
    }
  }
  t.equal(fixture.opened.length, 0);
});

t.test('aco_origins of the route: pages of other sites are refused, however they ask', async (t) => {
  const fixture = new SockJsFixture({ route: 'aco_origins=https://a.test|https://*.b.test' });
  const ask = (method: string, path: string, ...headers: string[]) => fixture.ask(method, `/echo${path}`, '', headers);
  const evil = 'https://evil.test';
  for (const [method, path] of [
    ['GET', '/info'],
    ['POST', '/000/s/xhr'],
    ['POST', '/000/s/xhr_send'],
    ['GET', '/000/s/eventsource'],
    ['OPTIONS', '/000/s/xhr'],
    ['GET', '/iframe.html'],
  ] as const) {
    for (const origin of [evil, 'null', 'http://a.test', 'https://b.test']) {
      const answer = ask(method, path, 'Origin', origin);
      t.match(answer, { status: 403, text: 'This is not for pages of this site.\n' }, `${path} ${origin}`);
      t.equal(answer.header('access-control-allow-origin'), undefined);
      t.equal(answer.header('vary'), 'Origin');
    }
  }
  for (const path of ['/000/s/jsonp?c=f', '/000/s/htmlfile?c=f', '/000/s/jsonp_send?d=%5B%5D']) {
    t.equal(ask('GET', path).status, 403, path);
    t.equal(ask('GET', path, 'Referer', `${evil}/https://a.test/`).status, 403, path);
    t.equal(ask('GET', path, 'Sec-Fetch-Site', 'cross-site', 'Referer', `${evil}/`).status, 403, path);
  }
  t.equal(fixture.opened.length, 0);
  t.ok(fixture.ends.every(({ status, error }) => status === 403 && error === 'ERR_REQUEST_CROSS_ORIGIN'));

  const info = ask('GET', '/info', 'Origin', 'https://x.b.test');
  t.equal(info.header('access-control-allow-origin'), 'https://x.b.test');
  t.equal(info.header('access-control-allow-credentials'), 'true');
  t.equal(ask('GET', '/info').status, 200, 'a client that names none');
  t.match(ask('GET', '/000/s/jsonp?c=f', 'Referer', 'https://a.test/page').text, /^\/\*\*\/f\("o"\)/);
  t.match(ask('GET', '/000/t/jsonp?c=f', 'Sec-Fetch-Site', 'same-origin').text, /^\/\*\*\/f\("o"\)/);
  const page = ask('GET', '/iframe.html');
  t.equal(page.header('content-security-policy'), "frame-ancestors 'self' https://a.test https://*.b.test");
});
