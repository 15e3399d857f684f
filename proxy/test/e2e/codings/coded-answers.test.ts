/**
 * Content codings: clients say to the origin which they take, what is relayed passes as it is, and where items join an answer, or
 * the answer is an instruct, it is decoded. Fields that describe a body go with that body alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import t, { type Test } from 'tap';
import { type Asking, ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, streamHold } from '../../kit/origins/origin.js';
import { type ScriptedAnswer, ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';
import { BROWSER, bytesOf, CODERS, coded, memory, NAMES, OF_BODY, ofBody } from './coded-fixture.js';

const origin = await ScriptedOrigin.start(t);

async function fixture(t: Test, edge: string): Promise<Holdfast> {
  return startHoldfast(t, {
    settings: { edge, client_half_close_grace: 0, subscription_linger: 0, debug: true, log_level: '3' },
    routes: [
      `* ${origin.target}`,
      `aco,aco ${origin.target}`,
      `over ${origin.target},over_http`,
      `plain,header=Accept-Encoding:identity ${origin.target}`,
    ],
  });
}

const asking: Asking = { headers: { 'Accept-Encoding': BROWSER } };

for (const edge of ['node', 'uws'] as const) {
  const holdfast = await fixture(t, edge);
  const { clients } = holdfast;

  /** Asks, and resolves once the request is the only one that is held. */
  const poll = async (t: Test, path: string) => {
    const answer = ask(t, `${clients}${path}`, asking);
    answer.catch(() => {});
    await holdfast.holds('response', 1);
    return { answer };
  };

  /** The text of the 502, with the code of the error, that is the answer. */
  const refused = async (t: Test, answer: ScriptedAnswer) => {
    const { status, text } = await ask(t, `${clients}${origin.script(answer)}`, asking);
    t.equal(status, 502);
    await until('nothing is held', async () => (await holdfast.metric('holdfast_holds{kind="response"}')) === 0);
    return text;
  };

  t.test(`${edge}: what is relayed passes as it is, in the coding that the client asked for`, async (t) => {
    const path = origin.script(coded('gzip', { 'Content-Range': 'bytes 0-9/10', Vary: 'Accept-Encoding' }, 'relayed'));
    const { head, body } = await bytesOf(`${clients}${path}`, { 'Accept-Encoding': BROWSER });
    t.match(head.headers, { etag: '"origin"', 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    t.strictSame(Object.keys(ofBody(head.headers)).sort(), [...NAMES].sort());
    t.equal(zlib.gunzipSync(body).toString(), 'relayed');
    t.equal(head.headers['content-length'], String(body.length));
    await ask(t, `${clients}${path}`);
    await ask(t, `${clients}${path}`, { headers: { Host: 'plain', 'Accept-Encoding': BROWSER } });
    const [first, second, third] = await origin.requests(path, 3);
    t.equal(first?.headers['accept-encoding'], BROWSER);
    t.equal(second?.headers['accept-encoding'], undefined, 'nothing is asked for that the client did not');
    t.equal(third?.headers['accept-encoding'], 'identity', 'a route says otherwise');
  });

  t.test(`${edge}: an answer with GRIP fields and without a hold passes as it is, too`, async (t) => {
    const path = origin.script(coded('br', { 'Grip-Status': '201 Made' }, 'as it is'));
    const { head, body } = await bytesOf(`${clients}${path}`, { 'Accept-Encoding': BROWSER });
    t.match(head, { statusCode: 201, headers: { 'content-encoding': 'br', etag: '"origin"' } });
    t.equal(zlib.brotliDecompressSync(body).toString(), 'as it is');
    const hidden = origin.script(coded('gzip', { 'Grip-Expose-Headers': 'X-A', 'X-A': 'a' }, 'readable'));
    const exposed = await bytesOf(`${clients}${hidden}`, { 'Accept-Encoding': BROWSER });
    t.match(exposed.head.headers, { 'x-a': 'a', 'content-encoding': 'gzip', etag: undefined });
    t.equal(zlib.gunzipSync(exposed.body).toString(), 'readable');
    const headers = streamHold('exposed', { 'Grip-Expose-Headers': 'X-A', 'X-A': 'a' });
    const stream = await open(t, `${clients}${origin.script(coded('gzip', headers, 'plain'))}`, asking);
    await stream.until('plain');
    t.equal(stream.headers['content-encoding'], undefined);
    stream.drop();
    await until('nothing is held', async () => (await holdfast.metric('holdfast_holds{kind="stream"}')) === 0);
  });

  for (const coding of Object.keys(CODERS)) {
    t.test(`${edge}: a long poll whose origin answers in ${coding}`, async (t) => {
      const path = origin.script(coded(coding, responseHold('poll', { Vary: 'Accept-Encoding' }), '{"n":1}'));
      const { answer: patched } = await poll(t, path);
      const patch = [{ op: 'replace', path: '/n', value: 2 }];
      await holdfast.publish({ channel: 'poll', formats: { 'http-response': { 'body-patch': patch } } });
      const answer = await patched;
      t.match(answer, { status: 200, text: '{"n":2}', headers: { vary: 'Accept-Encoding', 'content-length': '7' } });
      t.strictSame(ofBody(answer.headers), {});
    });

    t.test(`${edge}: a stream whose origin begins in ${coding}`, async (t) => {
      const begin = 'begin '.repeat(20_000);
      const stream = await open(t, `${clients}${origin.script(coded(coding, streamHold('stream'), begin))}`, asking);
      await stream.until(begin);
      await holdfast.publish(streamItem('stream', 'item'));
      await stream.until('item');
      t.equal(stream.text, `${begin}item`);
      t.strictSame(ofBody(stream.headers), {});
    });
  }

  t.test(`${edge}: fields of the origin's body do not go with an item's, those of the item do`, async (t) => {
    const path = origin.script({ headers: responseHold('fields', OF_BODY), body: 'nothing new' });
    const { answer: first } = await poll(t, path);
    await holdfast.publish(responseItem('fields', 'item'));
    t.match(await first, { text: 'item', headers: { 'content-type': 'text/plain' } });
    t.strictSame(ofBody((await first).headers), {});
    const { answer: second } = await poll(t, path);
    const headers = { ETag: '"item"', 'Content-Encoding': 'gzip' };
    const body = { 'body-bin': zlib.gzipSync('packed').toString('base64'), headers };
    await holdfast.publish({ channel: 'fields', formats: { 'http-response': body } });
    t.strictSame(ofBody((await second).headers), { etag: '"item"', 'content-encoding': 'gzip' });
  });

  t.test(`${edge}: a time-out is answered with the origin's body and what is true of it`, async (t) => {
    const timeout = { 'Grip-Timeout': '5' };
    const document = (headers: object, body: object) => ({
      headers: { 'Content-Type': 'application/grip-instruct' },
      body: JSON.stringify({
        hold: { mode: 'response', timeout: 5, channels: [{ name: 'late' }] },
        response: { headers, ...body },
      }),
    });
    const packed = { 'body-bin': zlib.gzipSync('nothing new').toString('base64') };
    const paths = [
      origin.script({ headers: responseHold('late', { ...OF_BODY, ...timeout }), body: 'nothing new' }),
      origin.script(coded('gzip', responseHold('late', timeout), 'nothing new')),
      origin.script(document(OF_BODY, { body: 'nothing new' })),
      origin.script(document({ ...OF_BODY, 'Content-Encoding': 'gzip' }, packed)),
    ];
    const answers = await Promise.all(paths.map((path) => ask(t, `${clients}${path}`, asking)));
    const whole = Object.fromEntries(Object.entries(OF_BODY).map(([name, value]) => [name.toLowerCase(), value]));
    const decoded = {
      etag: 'W/"origin"',
      'last-modified': whole['last-modified'],
      'content-location': whole['content-location'],
    };
    for (const [i, answer] of answers.entries()) {
      t.equal(answer.text, 'nothing new');
      t.strictSame(ofBody(answer.headers), i % 2 === 0 ? whole : decoded, `answer ${i}`);
    }
  });

  t.test(`${edge}: an instruct in JSON is decoded, and its own body where items join it`, async (t) => {
    const packed = { 'body-bin': zlib.gzipSync('begin ').toString('base64') };
    const hold = { mode: 'stream', channels: [{ name: 'json' }] };
    const headers = { ...OF_BODY, 'Content-Encoding': 'gzip', 'Content-Type': 'text/event-stream' };
    const document = JSON.stringify({ hold, response: { headers, ...packed } });
    const path = origin.script(coded('br', { 'Content-Type': 'application/grip-instruct' }, document));
    const stream = await open(t, `${clients}${path}`, asking);
    await stream.until('begin ');
    await holdfast.publish(streamItem('json', 'item'));
    await stream.until('item');
    t.equal(stream.text.replace(/^:\n/, ''), 'begin item');
    t.strictSame(ofBody(stream.headers), {});
    const polling = { hold: { channels: [{ name: 'json' }] }, response: { headers: OF_BODY, body: 'nothing' } };
    const again = origin.script(
      coded('gzip', { 'Content-Type': 'application/grip-instruct' }, JSON.stringify(polling)),
    );
    const { answer } = await poll(t, again);
    await holdfast.publish(responseItem('json', 'polled'));
    t.match(await answer, { text: 'polled' });
    t.strictSame(ofBody((await answer).headers), {});
  });

  t.test(`${edge}: a hold that is asked again may be answered in another coding`, async (t) => {
    const headers = responseHold('again');
    const path = origin.script(
      coded('gzip', headers, 'first'),
      coded('br', headers, '{"a":"second"}'),
      coded('deflate', {}, 'third'),
    );
    const answer = bytesOf(`${clients}${path}`, { 'Accept-Encoding': BROWSER });
    const hint = { channel: 'again', formats: { 'http-response': { action: 'hint' } } };
    for (const count of [1, 2]) {
      await holdfast.holds('response', 1);
      await until('a subscriber', async () => (await holdfast.publish(hint))[0]?.subscribers === 1);
      await origin.requests(path, count + 1);
    }
    const { head, body } = await answer;
    t.match(head.headers, { 'content-encoding': 'deflate', etag: '"origin"' });
    t.equal(zlib.inflateSync(body).toString(), 'third', 'an answer without a hold passes as it is');
    for (const { headers } of origin.seen(path)) t.equal(headers['accept-encoding'], BROWSER);
  });

  t.test(`${edge}: a body that comes slowly is decoded as it comes, and items wait for its end`, async (t) => {
    const gzip = zlib.createGzip();
    const body = (response: ServerResponse) => void gzip.pipe(response);
    const headers = streamHold('slow', { 'Content-Encoding': 'gzip' });
    const path = origin.script({ headers, body });
    const opening = open(t, `${clients}${path}`, asking);
    const write = (text: string) => {
      gzip.write(text);
      gzip.flush(zlib.constants.Z_SYNC_FLUSH);
    };
    write('one ');
    const stream = await opening;
    await stream.until('one ');
    await until('a subscriber', async () => (await holdfast.publish(streamItem('slow', 'item')))[0]?.subscribers === 1);
    write('two ');
    await stream.until('two ');
    gzip.end('three ');
    await stream.until('three item');
    t.match(stream.text, /^one two three (item)+$/);
  });

  t.test(`${edge}: a client that does not read holds the origin back through the decoder`, async (t) => {
    const total = 60_000_000;
    const body = zlib.gzipSync(Buffer.alloc(total, 'x'), { level: 1 });
    const path = origin.script({ headers: streamHold('large', { 'Content-Encoding': 'gzip' }), body });
    const before = memory(holdfast);
    const stream = await open(t, `${clients}${path}`, asking);
    stream.stall();
    await delay(1_500);
    const grown = memory(holdfast) - before;
    t.ok(grown < 40_000_000, `${grown} bytes more`);
    stream.resume();
    await until('all of it', () => stream.text.length === total);
    await holdfast.publish(streamItem('large', 'item'));
    await stream.until('item');
  });

  t.test(`${edge}: pages behind links may be in any coding, and are asked for in none`, async (t) => {
    const last = origin.script(coded('br', streamHold('linked'), 'three '));
    const second = origin.script(coded('deflate', { 'Grip-Link': `<${last}>; rel=next` }, 'two '));
    const path = origin.script(coded('gzip', { 'Grip-Link': `<${second}>; rel=next` }, 'one '));
    const streams = await Promise.all([1, 2, 3].map(() => open(t, `${clients}${path}`, asking)));
    for (const stream of streams) await stream.until('one two three ');
    await holdfast.publish(streamItem('linked', 'item'));
    for (const stream of streams) {
      await stream.until('item');
      t.equal(stream.text, 'one two three item');
      t.strictSame(ofBody(stream.headers), {});
    }
    for (const { headers } of origin.seen(second)) t.equal(headers['accept-encoding'], 'identity');
  });

  t.test(`${edge}: a server that filters may answer in a coding`, async (t) => {
    const judge = origin.script(coded('gzip', {}, '[changed]'));
    const headers = {
      'Grip-Hold': 'response',
      'Grip-Channel': 'asked; filter=http-modify',
      'Grip-Set-Meta': `url=${judge}`,
    };
    const { answer } = await poll(t, origin.script({ headers: { ...headers, ...OF_BODY }, body: 'late' }));
    const item = { body: 'item', headers: { ETag: '"item"', 'Content-Digest': 'sha-256=:aXRlbQ==:' } };
    await holdfast.publish({ channel: 'asked', formats: { 'http-response': item } });
    t.match(await answer, { text: '[changed]' });
    t.strictSame(ofBody((await answer).headers), { etag: 'W/"item"' }, 'the item has other bytes now');
    t.match((await origin.requests(judge, 1))[0]?.headers, { 'accept-encoding': 'identity' });
  });

  t.test(`${edge}: HEAD, and answers without a body`, async (t) => {
    const path = origin.script(coded('gzip', responseHold('bodiless'), 'timed out'));
    const answer = ask(t, `${clients}${path}`, { ...asking, method: 'HEAD' });
    await holdfast.holds('response', 1);
    await holdfast.publish(responseItem('bodiless', 'item'));
    t.match(await answer, { status: 200, text: '', headers: { 'content-length': '4' } });
    t.strictSame(ofBody((await answer).headers), {});
    const fields = { ...responseHold('bodiless', { 'Content-Encoding': 'gzip' }), ETag: '"e"' };
    const { answer: unchanged } = await poll(t, origin.script({ status: 304, headers: fields }));
    await holdfast.publish(responseItem('bodiless', 'changed'));
    t.match(await unchanged, { status: 200, text: 'changed' });
    t.strictSame(ofBody((await unchanged).headers), {});
    const streamed = await ask(t, `${clients}${origin.script(coded('gzip', streamHold('s'), 'x'))}`, {
      ...asking,
      method: 'HEAD',
    });
    t.match(
      streamed,
      { status: 200, headers: { 'content-encoding': 'gzip', etag: '"origin"' } },
      'as a GET is answered',
    );
  });

  t.test(`${edge}: JSON-P asks for a plain body, and has one of any coding`, async (t) => {
    const path = origin.script(coded('gzip', { 'Content-Type': 'application/json' }, '{"a":1}'));
    const headers = { Host: 'aco', 'Accept-Encoding': BROWSER };
    const { status, text, headers: got } = await ask(t, `${clients}${path}?callback=cb`, { headers });
    t.match({ status, text }, { status: 200, text: /^\/\*\*\/cb\(\{"code": 200.*"body": "\{\\"a\\":1\}"\}\);\n$/ });
    t.equal(got['content-encoding'], undefined);
    t.notMatch(text, /content-encoding/i);
    t.equal(origin.seen(path)[0]?.headers['accept-encoding'], 'identity');
    const unknown = origin.script({ headers: { 'Content-Encoding': 'x-own' }, body: 'a' });
    t.match(await ask(t, `${clients}${unknown}?callback=cb`, { headers }), { text: /"code": 502.*'x-own'/ });
  });

  t.test(`${edge}: CORS fields do not keep a coded answer from passing`, async (t) => {
    const path = origin.script(coded('gzip', {}, 'shared'));
    const headers = { Host: 'aco', Origin: 'http://a.example', 'Accept-Encoding': BROWSER };
    const { head, body } = await bytesOf(`${clients}${path}`, headers);
    t.match(head.headers, { 'content-encoding': 'gzip', 'access-control-allow-origin': 'http://a.example' });
    t.equal(zlib.gunzipSync(body).toString(), 'shared');
  });

  t.test(`${edge}: a session over HTTP asks for no coding, and reads any`, async (t) => {
    const events = 'application/websocket-events';
    const script = coded('gzip', { 'Content-Type': events }, 'OPEN\r\nTEXT 5\r\nhello\r\nCLOSE\r\n');
    const path = origin.script(script);
    let accepted: IncomingMessage['headers'] = {};
    const handshake = { headers: { Host: 'over', 'Accept-Encoding': BROWSER } };
    const client = await openWs(t, wsUrl(clients, path), {
      ...handshake,
      finishRequest: (request) => {
        request.on('upgrade', ({ headers }) => {
          accepted = headers;
        });
        request.end();
      },
    });
    t.equal(await client.text(), 'hello');
    t.match((await origin.requests(path, 1))[0]?.headers, { 'accept-encoding': 'identity' });
    t.strictSame(ofBody(accepted), {}, 'the 101 has no fields of a body');
  });

  t.test(`${edge}: what cannot be decoded is 502 with its own code, and nothing is held`, async (t) => {
    const hold = (coding: string, body: string | Buffer) => ({
      headers: responseHold('bad', { 'Content-Encoding': coding }),
      body,
    });
    t.match(await refused(t, hold('compress', 'x')), /ERR_ORIGIN_CODING: .*'compress' is not one that can be decoded/);
    t.match(await refused(t, hold('gzip, gzip, gzip, gzip', 'x')), /ERR_ORIGIN_CODING: .*more than 3/);
    t.match(await refused(t, hold('gzip', 'no gzip')), /ERR_ORIGIN_CODING: .*not what its Content-Encoding says/);
    t.match(await refused(t, hold('gzip', zlib.gzipSync('cut').subarray(0, -4))), /ERR_ORIGIN_CODING/);
    const json = { 'Content-Type': 'application/grip-instruct', 'Content-Encoding': 'br' };
    t.match(await refused(t, { headers: json, body: '{}' }), /ERR_ORIGIN_CODING/);
    const stream = { ...streamHold('bad'), 'Content-Encoding': 'x-own' };
    t.match(await refused(t, { headers: stream, body: 'x' }), /ERR_ORIGIN_CODING/);
    await holdfast.record('of a coding', (record) => JSON.stringify(record).includes('ERR_ORIGIN_CODING'));
  });

  t.test(`${edge}: a stream whose coding turns out wrong is broken off`, async (t) => {
    const whole = zlib.gzipSync(Buffer.alloc(200_000, 'abc'));
    const body = Buffer.concat([whole.subarray(0, whole.length - 40), Buffer.alloc(40, 0xff)]);
    const path = origin.script({ headers: streamHold('wrong', { 'Content-Encoding': 'gzip' }), body });
    const stream = await open(t, `${clients}${path}`, asking);
    t.equal(await stream.end(), 'broken');
    await until('nothing is held', async () => (await holdfast.metric('holdfast_holds{kind="stream"}')) === 0);
  });

  t.test(`${edge}: a small body that becomes larger than instruct_body_max is 502`, async (t) => {
    for (const coding of ['gzip', 'br', 'gzip, br']) {
      const bomb = coded(coding, responseHold('bomb'), '\0'.repeat(30_000_000));
      t.ok((bomb.body as Buffer).length < 100_000);
      t.match(await refused(t, bomb), /GRIP instruct response too large/, coding);
    }
    const fits = origin.script(coded('gzip', responseHold('fits'), 'x'.repeat(100_000)));
    const { answer } = await poll(t, fits);
    await holdfast.publish(responseItem('fits', 'item'));
    t.match(await answer, { text: 'item' });
  });

  t.test(`${edge}: a client that goes in the middle of it leaves nothing behind`, async (t) => {
    let response: ServerResponse | undefined;
    const body = (given: ServerResponse) => {
      response = given;
      given.write(zlib.gzipSync('x'.repeat(50_000)).subarray(0, 30));
    };
    const stream = await open(
      t,
      `${clients}${origin.script({ headers: streamHold('gone', { 'Content-Encoding': 'gzip' }), body })}`,
    );
    stream.drop();
    await until('the origin hears of it', () => response?.destroyed === true);
    await until('nothing is held', async () => (await holdfast.metric('holdfast_holds{kind="stream"}')) === 0);
    t.ok(holdfast.child.running);
  });

  t.test(`${edge}: none of this was a fault`, async (t) => {
    t.notMatch(holdfast.child.stdout, /fault: Holdfast itself failed/);
  });
}
