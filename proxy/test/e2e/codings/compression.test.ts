/** Answers that are compressed on their way to clients that accept it. */
import { createHash, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { askEncoded, openEncoded } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { responseItem, startHoldfast } from '../../kit/holdfast.js';
import { responseHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';

const isUws = process.env.TEST_EDGE === 'uws';
const origin = await ScriptedOrigin.start(t);
const routes = [`* ${origin.target}`];
const settings = { compress: 'br,gzip', client_half_close_grace: 0 };
const holdfast = await startHoldfast(t, { routes, settings });
const { clients } = holdfast;
const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

/** JSON of so many bytes. */
const json = (bytes: number) =>
  JSON.stringify(Array.from({ length: bytes / 10 }, (_, i) => i))
    .padEnd(bytes)
    .slice(0, bytes);
const BODY = json(4_000);

t.test('the coding that the client prefers, and among equals the operator', async (t) => {
  const path = origin.script({ headers: JSON_TYPE, body: BODY });
  const codings: [string | undefined, string | undefined][] = [
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['deflate, gzip;q=0.1', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *;q=0.1', 'gzip'],
    ['identity, gzip;q=0.9', undefined],
    ['gzip;q=0', undefined],
    ['deflate', undefined],
    ['', undefined],
    [undefined, undefined],
    [`gzip,${'x,'.repeat(510)}y`, undefined],
  ];
  for (const [accept, coding] of codings) {
    const answer = await askEncoded(t, `${clients}${path}`, accept);
    t.equal(answer.headers['content-encoding'], coding, `${accept?.slice(0, 30)}`);
    t.equal(answer.headers.vary, 'Accept-Encoding');
    t.equal(answer.text, BODY);
    if (coding === undefined) t.equal(answer.headers['content-length'], `${BODY.length}`);
    else t.ok(answer.bytes.length < BODY.length / 2);
  }
});

t.test('a body that is there whole has a length; tag and ranges are no longer the origin’s', async (t) => {
  const headers = { ...JSON_TYPE, ETag: '"tag"', 'Accept-Ranges': 'bytes', Vary: 'Cookie' };
  const path = origin.script({ headers, body: BODY });
  const gzip = await askEncoded(t, `${clients}${path}`, 'gzip');
  t.match(gzip.headers, { etag: 'W/"tag"', vary: 'Cookie, Accept-Encoding', 'content-length': `${gzip.bytes.length}` });
  t.notOk('accept-ranges' in gzip.headers);
  t.equal(gunzipSync(gzip.bytes).toString(), BODY);
  const br = await askEncoded(t, `${clients}${path}`, 'br');
  t.equal(brotliDecompressSync(br.bytes).toString(), BODY);
  const plain = await askEncoded(t, `${clients}${path}`, undefined);
  t.match(plain.headers, { etag: '"tag"', vary: 'Cookie, Accept-Encoding', 'accept-ranges': 'bytes' });
});

t.test('bodies of every length come out as they went in, also in chunks and slowly', async (t) => {
  const big = Buffer.concat(
    Array.from({ length: 200 }, () => Buffer.concat([randomBytes(50_000), Buffer.alloc(50_000)])),
  );
  for (const body of [
    Buffer.from(json(512)),
    Buffer.from(json(16_384)),
    Buffer.from(json(16_385)),
    Buffer.from(json(300_000)),
    big,
  ]) {
    const whole = origin.script({ headers: JSON_TYPE, body });
    const inChunks = async (response: ServerResponse) => {
      for (let from = 0; from < body.length; from += 7_919_000) {
        response.write(body.subarray(from, from + 7_919_000));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      response.end();
    };
    const chunked = origin.script({ headers: JSON_TYPE, body: (response) => void inChunks(response) });
    for (const path of [whole, chunked]) {
      // Of what is there to be had of both, one is enough at this length.
      for (const coding of body === big ? ['gzip'] : ['gzip', 'br']) {
        const answer = await openEncoded(t, `${clients}${path}`, coding);
        t.equal(await answer.end(), 'complete');
        t.equal(answer.headers['content-encoding'], coding);
        const digest = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');
        t.equal(digest(answer.body), digest(body), `${body.length} bytes by ${coding}`);
      }
    }
  }
});

t.test('what may not be compressed, or is not worth it, goes out as it came', async (t) => {
  const refusals: [Record<string, string>, number?, string?][] = [
    [{ 'Content-Type': 'image/png' }],
    [{ 'Content-Encoding': 'x-own' }],
    [{ 'Cache-Control': 'max-age=1, No-Transform' }],
    [{ 'Set-Cookie': 'a=b' }],
    [{ 'Content-Digest': 'sha-256=:abc:' }],
    [{ 'Content-Range': 'bytes 0-3999/9000' }, 206],
    [{ 'Content-Type': 'text/event-stream' }],
    [{}, 200, json(511)],
  ];
  for (const [headers, status = 200, body = BODY] of refusals) {
    const path = origin.script({ status, headers: { ...JSON_TYPE, ETag: '"tag"', ...headers }, body });
    const answer = await askEncoded(t, `${clients}${path}`, 'gzip');
    t.equal(answer.bytes.toString(), body, JSON.stringify(headers));
    t.match(answer.headers, { etag: '"tag"', 'content-length': `${body.length}` });
    t.equal(answer.headers.vary, undefined);
    t.equal(answer.headers['content-encoding'], headers['Content-Encoding']);
  }
  const path = origin.script({ headers: JSON_TYPE, body: BODY });
  const answer = await askEncoded(t, `${clients}${path}`, 'gzip', { headers: { 'Cache-Control': 'no-transform' } });
  t.equal(answer.headers['content-encoding'], undefined);
  t.equal(answer.headers.vary, 'Accept-Encoding');
  const short = origin.script({ headers: JSON_TYPE, body: (response) => response.end('{}') });
  t.equal((await askEncoded(t, `${clients}${short}`, 'gzip')).headers['content-encoding'], undefined);
});

t.test('HEAD, 204 and 304 have nothing to compress; a 304 names what the client has', async (t) => {
  const path = origin.script({ headers: { ...JSON_TYPE, ETag: '"tag"' }, body: BODY });
  const head = await askEncoded(t, `${clients}${path}`, 'gzip', { method: 'HEAD' });
  t.match(head.headers, { vary: 'Accept-Encoding', etag: '"tag"' });
  t.notOk('content-length' in head.headers, 'a GET would have another');
  t.notOk('content-encoding' in head.headers);
  const none = origin.script({ status: 204, headers: JSON_TYPE, body: (response) => response.end() });
  t.equal((await askEncoded(t, `${clients}${none}`, 'gzip')).headers['content-encoding'], undefined);
  const same = origin.script({ status: 304, headers: { ETag: '"tag"' }, body: (response) => response.end() });
  const not = (tag: string) => askEncoded(t, `${clients}${same}`, 'gzip', { headers: { 'If-None-Match': tag } });
  t.match((await not('"x", W/"tag"')).headers, { etag: 'W/"tag"', vary: 'Accept-Encoding' });
  t.equal((await not('"tag"')).headers.etag, '"tag"');
});

t.test('an HTTP/1.0 client gets plain bytes, whatever it says', { skip: isUws && 'not with uws' }, async (t) => {
  const wire = await connectTo(t, clients);
  wire.send(`GET ${origin.script({ headers: JSON_TYPE, body: BODY })} HTTP/1.0`, 'Accept-Encoding: gzip', '');
  await wire.closed();
  t.ok(wire.text.endsWith(BODY));
});

t.test('each chunk can be read as soon as it has come, and the head before them', async (t) => {
  let write: (text: string) => void = () => {};
  let end: () => void = () => {};
  const body = (response: ServerResponse) => {
    response.flushHeaders();
    write = (text) => response.write(text);
    end = () => response.end();
    // The uws edge needs a byte to send a head with.
    if (isUws) write('begun ');
  };
  for (const coding of ['gzip', 'br']) {
    const path = origin.script({ headers: { 'Content-Type': 'text/plain' }, body });
    const answer = await openEncoded(t, `${clients}${path}`, coding);
    for (const text of ['one ', `two ${'.'.repeat(5_000)} `, 'three ']) {
      write(text);
      await answer.until(text);
    }
    end();
    t.equal(await answer.end(), 'complete');
  }
});

t.test('an event stream of the origin’s is compressed only where it is named', async (t) => {
  const types = 'text/event-stream';
  const node = await startHoldfast(t, { routes, settings: { ...settings, compress_types: types } });
  let write: (text: string) => void = () => {};
  const body = (response: ServerResponse) => {
    response.write(':begun\n\n');
    write = (text) => response.write(text);
  };
  const path = origin.script({ headers: { 'Content-Type': `${types}; charset=utf-8` }, body });
  const stream = await openEncoded(t, `${node.clients}${path}`, 'gzip');
  t.equal(stream.headers['content-encoding'], 'gzip');
  await stream.until(':begun\n\n');
  for (const event of ['data: 1\n\n', `data: ${'.'.repeat(20_000)}\n\n`, 'data: 3\n\n']) {
    write(event);
    await stream.until(event);
  }
  stream.drop();
});

t.test('long polls: the item that answers, and the origin’s own answer, are compressed', async (t) => {
  const headers = { ...responseHold('poll', { 'Grip-Timeout': '5' }), ...JSON_TYPE };
  const path = origin.script({ headers, body: BODY });
  const polls = Array.from({ length: 4 }, (_, i) =>
    askEncoded(t, `${clients}${path}`, ['gzip', 'br', undefined, 'gzip'][i]),
  );
  await holdfast.holds('response', 4);
  const item = json(50_000);
  await holdfast.publish({ channel: 'poll', formats: { 'http-response': { headers: JSON_TYPE, body: item } } });
  for (const [i, poll] of (await Promise.all(polls)).entries()) {
    t.equal(poll.headers['content-encoding'], ['gzip', 'br', undefined, 'gzip'][i]);
    t.equal(poll.text, item);
    t.match(poll.headers, { vary: 'Accept-Encoding', 'content-length': `${poll.bytes.length}` });
  }
  const patient = askEncoded(t, `${clients}${path}`, 'gzip');
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('nobody', 'x'));
  t.match(await patient, { text: BODY, headers: { 'content-encoding': 'gzip' } });
});

t.test('JSON-P wraps plain text', async (t) => {
  const node = await startHoldfast(t, { routes: [`*,aco ${origin.target}`], settings });
  const path = origin.script({ headers: JSON_TYPE, body: BODY });
  const answer = await askEncoded(t, `${node.clients}${path}?callback=go`, 'gzip');
  t.match(answer.headers, { 'content-encoding': 'gzip', 'content-type': 'application/javascript' });
  t.match(answer.text, /^\/\*\*\/go\(.*\);\n$/s);
});

t.test('a client that does not read holds its origin back', async (t) => {
  let sent = 0;
  const body = (response: ServerResponse) => {
    const more = () => {
      while (response.writable) {
        sent += 65_536;
        if (!response.write(randomBytes(65_536))) break;
      }
    };
    response.on('drain', more);
    more();
  };
  const path = origin.script({ headers: { 'Content-Type': 'text/plain' }, body });
  const answer = await openEncoded(t, `${clients}${path}`, 'gzip');
  answer.stall();
  let before = -1;
  await until('the origin to stand still', async () => {
    if (sent === before) return true;
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return false;
  });
  t.ok(sent < 64 * 2 ** 20, `${sent} bytes`);
  answer.resume();
  await until('the origin to go on', () => sent > before);
  answer.drop();
});

t.test('an origin that breaks off: what it has sent arrives, and the client sees that it is not all', async (t) => {
  const sent = json(100_000);
  const body = (response: ServerResponse) => {
    // Once the system has taken all of it: what is still with node is lost.
    response.write(sent, () => setTimeout(() => response.destroy(), 50));
  };
  const path = origin.script({ headers: JSON_TYPE, body });
  const answer = await openEncoded(t, `${clients}${path}`, 'gzip');
  t.equal(await answer.end(), 'broken');
  t.equal(answer.text, sent);
});

t.test('after MAX_ENCODERS answers under way others go out as they are, until clients leave', async (t) => {
  let gone = 0;
  const body = (response: ServerResponse) => {
    response.write('begun\n');
    response.on('close', () => gone++);
  };
  const path = origin.script({ headers: { 'Content-Type': 'text/plain' }, body });
  const open = () => openEncoded(t, `${clients}${path}`, 'gzip');
  const answers = [];
  for (let i = 0; i < 256; i++) answers.push(await open());
  t.ok(answers.every(({ headers }) => headers['content-encoding'] === 'gzip'));
  const further = await open();
  t.equal(further.headers['content-encoding'], undefined);
  t.equal(further.headers.vary, 'Accept-Encoding');
  for (const answer of answers) answer.drop();
  await until('their origins to know', () => gone === 256);
  t.equal((await open()).headers['content-encoding'], 'gzip');
});

t.test('an answer with a cookie is compressed where the operator says so', async (t) => {
  const node = await startHoldfast(t, { routes, settings: { ...settings, compress_cookies: true } });
  const path = origin.script({ headers: { ...JSON_TYPE, 'Set-Cookie': 'a=b' }, body: BODY });
  t.match(await askEncoded(t, `${node.clients}${path}`, 'gzip'), {
    headers: { 'content-encoding': 'gzip' },
    text: BODY,
  });
});

t.test('with compress_streams alone answers are left alone', async (t) => {
  const node = await startHoldfast(t, { routes, settings: { compress_streams: true } });
  const path = origin.script({ headers: { ...JSON_TYPE, ETag: '"tag"' }, body: BODY });
  const answer = await askEncoded(t, `${node.clients}${path}`, 'gzip');
  t.match(answer.headers, { etag: '"tag"', 'content-length': `${BODY.length}` });
  t.notOk('vary' in answer.headers);
});
