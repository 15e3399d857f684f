/** CORS and JSON-P on everything that is answered: by origins, by holds, by the proxy itself. */
import vm from 'node:vm';
import t from 'tap';
import { HoldFixture } from '../holds/hold-fixture.js';

const aco = { route: 'aco' };
const origin = { Origin: 'https://app.example' };

/** What the callback gets. */
function run(script: string): { code: number; headers: Record<string, string>; body: string; reason: string } {
  let got: unknown;
  vm.runInNewContext(script, {
    cb: (value: unknown) => {
      got = value;
    },
  });
  return JSON.parse(JSON.stringify(got));
}

t.test('a relayed answer: fields of the hop are not among those that scripts may read', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/', { headers: origin });
  (await fixture.asked()).answer({ headers: { 'X-A': '1', 'Keep-Alive': 'timeout=5', Connection: 'keep-alive' } });
  const { headers } = await answer;
  t.equal(headers['access-control-allow-origin'], 'https://app.example');
  const exposed = `${headers['access-control-expose-headers']}`.split(', ').filter((name) => name !== 'Date');
  t.strictSame(exposed, ['X-A']);
});

t.test('a preflight goes to the origin', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/', {
    method: 'OPTIONS',
    headers: { ...origin, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'X-A' },
  });
  const asked = await fixture.asked();
  t.equal(asked.method, 'OPTIONS');
  asked.answer({ status: 204 });
  t.match((await answer).headers, { 'access-control-allow-methods': 'PUT', 'access-control-allow-headers': 'X-A' });
});

t.test('holds: answered by an item, by time, and open streams', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const allowed = { 'access-control-allow-origin': 'https://app.example', 'access-control-allow-credentials': 'true' };
  const hold = { 'Grip-Channel': 'c', 'Grip-Timeout': '5', 'X-A': '1' };
  const first = await fixture.poll(hold, '', { headers: origin });
  fixture.publish('c', { 'http-response': { body: 'x', headers: { 'X-B': '2' } } });
  const { headers } = await first.answer;
  t.match(headers, allowed);
  t.match(headers['access-control-expose-headers'], /X-A.*X-B/);
  const second = await fixture.poll(hold, '', { headers: origin });
  fixture.clock.advance(5_000);
  t.match((await second.answer).headers, allowed);
  const third = fixture.ask('/', { headers: origin });
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c' } });
  t.match((await third).headers, allowed);
});

t.test('errors of the proxy itself', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/', { headers: origin });
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'neither' } });
  t.match(await answer, { status: 502, headers: { 'access-control-allow-origin': 'https://app.example' } });
});

t.test('auto_cross_origin is aco for every route, and for requests without one', async (t) => {
  const fixture = await HoldFixture.open(t, { autoCrossOrigin: true });
  fixture.reroute('elsewhere ORIGIN');
  const answer = await fixture.ask('/', { headers: { ...origin, Host: 'none' } });
  t.match(answer, { status: 502, headers: { 'access-control-allow-origin': 'https://app.example' } });
});

t.test('without aco nothing is added, and a callback is a parameter like others', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask('/?callback=cb', { headers: origin });
  const asked = await fixture.asked();
  t.equal(asked.url, '/?callback=cb');
  asked.answer({ body: 'plain' });
  const got = await answer;
  t.notMatch(Object.keys(got.headers).join(' '), 'access-control');
  await got.until('plain');
});

t.test('JSON-P: the origin gets the request that is meant, the client a script', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const headers = encodeURIComponent(JSON.stringify({ 'X-A': '1', 'Transfer-Encoding': 'chunked', 'Grip-Sig': 'x' }));
  const answer = fixture.ask(`/p?x=1&callback=cb&_method=POST&_headers=${headers}&_body=h%C3%A9`, {
    headers: { ...origin, Cookie: 'c' },
  });
  const asked = await fixture.asked();
  t.match(asked, { method: 'POST', url: '/p?x=1' });
  t.match(asked.headers, { 'x-a': '1', accept: '*/*', cookie: 'c', 'content-length': '3' });
  t.equal(asked.headers['transfer-encoding'], undefined);
  t.not(asked.headers['grip-sig'], 'x');
  t.equal(asked.body.toString(), 'hé');
  asked.answer({ status: 404, headers: { 'X-B': '2', 'Cache-Control': 'no-store' }, body: 'none' });
  const got = await answer;
  await got.end();
  t.match(got, {
    status: 200,
    headers: { 'content-type': 'application/javascript', 'cache-control': 'no-store', 'x-b': undefined },
  });
  t.notMatch(Object.keys(got.headers).join(' '), 'access-control');
  t.match(run(got.text), { code: 404, reason: 'Not Found', headers: { 'X-B': '2' }, body: 'none' });
});

t.test('JSON-P of a hold: the item, or the time-out, in a script', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  for (const publish of [true, false]) {
    const answer = fixture.ask('/?callback=cb');
    const headers = {
      'Grip-Hold': 'response',
      'Grip-Channel': 'c',
      'Grip-Timeout': '5',
      'Grip-Status': '404',
      'X-A': '1',
    };
    (await fixture.asked()).answer({ headers, body: 'nothing' });
    await fixture.ended(publish ? 1 : 2);
    if (publish) fixture.respond('c', 'an item');
    else fixture.clock.advance(5_000);
    const got = await answer;
    await got.end();
    t.match(run(got.text), {
      code: publish ? 200 : 404,
      headers: { 'X-A': '1' },
      body: publish ? 'an item' : 'nothing',
    });
    t.equal(run(got.text).headers['Grip-Hold'], undefined);
  }
});

t.test('JSON-P of an error of the proxy’s own', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/?callback=cb');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'neither' } });
  const got = await answer;
  await got.end();
  t.equal(got.status, 200);
  t.match(run(got.text), { code: 502, body: 'Error while proxying to origin.\n' });
});

t.test('JSON-P of a stream: not wrapped', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/?callback=cb');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c' }, body: 'open ' });
  const stream = await answer;
  await stream.until('open ');
  fixture.send('c', 'item');
  fixture.act('c', 'close');
  await stream.end();
  t.equal(stream.text, 'open item');
});

t.test('JSON-P of a long answer: streamed while the origin sends', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/?callback=cb');
  const asked = await fixture.asked();
  asked.begin({ 'Content-Type': 'text/plain' }, 'é'.repeat(60_000));
  const got = await answer;
  await got.until('é'.repeat(100));
  asked.end('"end"');
  await got.end();
  t.equal(got.headers['transfer-encoding'], 'chunked');
  t.equal(run(got.text).body, `${'é'.repeat(60_000)}"end"`);
});

t.test('JSON-P of an answer that breaks off breaks off', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const answer = fixture.ask('/?callback=cb');
  const asked = await fixture.asked();
  asked.begin({ 'Content-Type': 'text/plain' }, 'x'.repeat(200_000));
  const got = await answer;
  await got.until('x'.repeat(200_000));
  asked.breakOff();
  t.equal(await got.end(), 'broken');
});

t.test('JSON-P properties of a route', async (t) => {
  const fixture = await HoldFixture.open(t, {
    route: 'aco,jsonp_mode=basic,jsonp_cb=cb,jsonp_body=payload,jsonp_defcb=dflt,jsonp_defmethod=PUT',
  });
  const answer = fixture.ask('/?payload=%5B1%5D');
  const asked = await fixture.asked();
  t.match(asked, { method: 'PUT', url: '/', headers: { 'content-type': 'application/json' } });
  t.equal(asked.body.toString(), '[1]');
  asked.answer({ status: 500, body: '{"a":1}\n' });
  const got = await answer;
  await got.end();
  t.match(got, { status: 200, text: '/**/dflt({"a":1});\n' });
});

for (const [parameters, text] of [
  ['callback=alert(1)', 'Invalid callback parameter.\n'],
  ['callback=', 'Invalid callback parameter.\n'],
  ['callback=f&_method=', 'Invalid _method parameter.\n'],
  ['callback=f&_headers=%7B', 'Invalid _headers parameter.\n'],
] as const) {
  t.test(`JSON-P with ${parameters}: 400, and the origin hears nothing`, async (t) => {
    const fixture = await HoldFixture.open(t, aco);
    const got = await fixture.ask(`/?${parameters}`);
    await got.end();
    t.match(got, { status: 400, text, headers: { 'content-type': 'text/plain' } });
    t.equal(fixture.origin.all.length, 0);
    t.match(fixture.requests, [{ status: 400, error: 'ERR_REQUEST_JSONP' }]);
  });
}

const listed = { route: 'aco,aco_origins=https://a.test|https://*.b.test' };

t.test(
  'aco_origins: CORS fields for its sites, for others only Vary, on relayed answers, holds and errors',
  async (t) => {
    const fixture = await HoldFixture.open(t, listed);
    for (const [site, allowed] of [
      ['https://a.test', 'https://a.test'],
      ['https://x.b.test', 'https://x.b.test'],
      ['https://evil.test', undefined],
      ['null', undefined],
    ] as const) {
      const relayed = fixture.ask('/', { headers: { Origin: site } });
      (await fixture.asked()).answer({ headers: { Vary: 'Accept' }, body: 'x' });
      const failed = fixture.ask('/', { headers: { Origin: site } });
      (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'neither' } });
      const stream = fixture.ask('/', { headers: { Origin: site } });
      (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c' } });
      for (const [answer, vary] of [
        [await relayed, 'Accept, Origin'],
        [await failed, 'Origin'],
        [await stream, 'Origin'],
      ] as const) {
        t.equal(answer.headers['access-control-allow-origin'], allowed, site);
        t.equal(answer.headers['access-control-allow-credentials'], allowed && 'true');
        t.equal(answer.headers.vary, vary);
      }
    }
  },
);

t.test('aco_origins of the configuration holds where a route has none', async (t) => {
  const fixture = await HoldFixture.open(t, { autoCrossOrigin: true, acoOrigins: 'https://a.test' });
  for (const [site, allowed] of [
    ['https://a.test', 'https://a.test'],
    ['https://evil.test', undefined],
  ] as const) {
    const answer = fixture.ask('/', { headers: { Origin: site } });
    (await fixture.asked()).answer({ body: 'x' });
    t.equal((await answer).headers['access-control-allow-origin'], allowed);
  }
});

t.test('aco_origins: JSON-P is for its sites, as the browser tells, and for the host’s own pages', async (t) => {
  const fixture = await HoldFixture.open(t, listed);
  const refused = [
    {},
    { Referer: 'https://evil.test/' },
    { Referer: 'https://evil.test/https://a.test/' },
    { Referer: 'not a url' },
    { Origin: 'null', Referer: 'https://a.test/' },
    { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'same-origin' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
  ];
  for (const headers of refused) {
    const got = await fixture.ask('/?callback=cb&_method=DELETE', { headers: { ...headers } });
    await got.end();
    t.match(got, { status: 403, text: 'JSON-P is not for scripts of this site.\n' }, JSON.stringify(headers));
  }
  t.equal(fixture.origin.all.length, 0);
  t.match(fixture.requests[0], { status: 403, error: 'ERR_REQUEST_CROSS_ORIGIN' });
  for (const headers of [
    { Referer: 'https://a.test/page' },
    { Referer: 'https://x.b.test' },
    { Origin: 'https://a.test' },
    { 'Sec-Fetch-Site': 'same-origin' },
    { Host: 'own.test', Referer: 'http://own.test/page' },
  ]) {
    const answer = fixture.ask('/?callback=cb', { headers: { ...headers } });
    (await fixture.asked()).answer({ body: 'x' });
    const got = await answer;
    await got.end();
    t.equal(run(got.text).body, 'x', JSON.stringify(headers));
    t.equal(got.headers.vary, 'Origin, Sec-Fetch-Site, Referer');
  }
});

t.test('what the proxy itself answers is kept by no cache and taken for no other type', async (t) => {
  const fixture = await HoldFixture.open(t, aco);
  const own = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-type': 'text/plain' };
  const check = await fixture.ask('/', { headers: { 'Pushpin-Check': '1' } });
  t.match(check, { status: 200, headers: own });
  t.match(await fixture.ask('/?callback='), { status: 400, headers: own });
  const answer = fixture.ask('/', { headers: origin });
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'neither' } });
  t.match(await answer, { status: 502, headers: { ...own, vary: 'Origin' } });
});
