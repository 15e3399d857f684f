/** Publishes whose body comes compressed. */
import * as zlib from 'node:zlib';
import t, { type Test } from 'tap';
import { acceptedCodings } from '../../dist/http/body.js';
import { BODY_LIMIT, publishBody, publishOfSize, startControl } from '../control-fixture.js';

const encoders: Record<string, (body: string | Buffer) => Buffer> = {
  gzip: zlib.gzipSync,
  'x-gzip': zlib.gzipSync,
  GZIP: zlib.gzipSync,
  'identity, gzip': zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
  identity: (body) => Buffer.from(body),
  '': (body) => Buffer.from(body),
};
const { zstdCompressSync } = zlib as { zstdCompressSync?: (body: string | Buffer) => Buffer };
if (zstdCompressSync) encoders.zstd = zstdCompressSync;

type Control = Awaited<ReturnType<typeof startControl>>;

async function post(t: Test, control: Control, coding: string, body: Buffer, accept = 'text/plain') {
  const connection = await control.client();
  const head = `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\nContent-Encoding: ${coding}\r\n`;
  await connection.write(Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]));
  const answer = await connection.answer();
  connection.destroy();
  if (answer === undefined) t.fail('there is an answer');
  return answer;
}

t.test('each coding is taken, under its names', async (t) => {
  const control = await startControl(t);
  for (const [n, [coding, encode]] of Object.entries(encoders).entries()) {
    const answer = await post(t, control, coding, encode(publishBody(['a', `${n}`])));
    t.match(answer, { status: 200, body: 'Published\n' }, coding);
  }
  t.strictSame(
    control.listener.labels,
    Object.keys(encoders).map((_, n) => `a/${n}`),
  );
  t.match(await post(t, control, 'deflate', zlib.deflateRawSync(publishBody(['a', 'raw']))), { status: 200 }, 'raw');
});

t.test('another coding answers 415 with those that are taken, also before the body comes', async (t) => {
  const control = await startControl(t);
  for (const coding of ['compress', 'gzip, gzip', 'gzip, br', 'toString', '__proto__']) {
    t.match(await post(t, control, coding, Buffer.from('x')), {
      status: 415,
      headers: { 'accept-encoding': acceptedCodings, connection: 'close' },
      body: `Unsupported Content-Encoding: expected one of ${acceptedCodings}, or none.\n`,
    });
  }
  t.match(acceptedCodings, /^gzip, deflate, br(, zstd)?$/);
  const connection = await control.client();
  await connection.write(
    'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Encoding: lzma\r\nContent-Length: 9\r\n\r\n',
  );
  t.match(await connection.answer(), { status: 415 });
  t.match(JSON.parse((await post(t, control, 'lzma', Buffer.from('x'), 'application/json'))?.body ?? ''), {
    code: 'ERR_CONTROL_CODING',
  });
  t.strictSame(control.listener.labels, []);
});

t.test('the limit of a body counts for what comes out: a bomb answers 413', async (t) => {
  const control = await startControl(t);
  for (const [coding, encode] of Object.entries(encoders)) {
    if (coding.endsWith('identity') || coding === '') continue;
    t.match(await post(t, control, coding, encode(publishOfSize(BODY_LIMIT))), { status: 200 }, coding);
    const over = await post(t, control, coding, encode(publishOfSize(BODY_LIMIT + 1)));
    t.match(over, { status: 413, body: /1000000 bytes \(push_in_http_max_body_size\)/ }, coding);
    const bomb = encode(Buffer.alloc(16 * 1024 * 1024, ' '));
    t.ok(bomb.length < BODY_LIMIT, `${coding}: ${bomb.length} bytes`);
    t.match(await post(t, control, coding, bomb), { status: 413 }, `a bomb of ${coding}`);
  }
  t.match(await post(t, control, 'gzip', publishedParts(40_000)), { status: 400 }, 'many empty members');
});

/** A gzip of so many members, none of which has content. */
const publishedParts = (count: number) => Buffer.concat(Array.from({ length: count }, () => zlib.gzipSync('')));

t.test('a body that is not encoded as it says answers 400, and so does one that is cut short', async (t) => {
  const control = await startControl(t);
  const whole = publishBody(['a', '1']);
  for (const [coding, encode] of Object.entries(encoders)) {
    if (coding.endsWith('identity') || coding === '') continue;
    const encoded = encode(whole);
    for (const body of [Buffer.from(whole), encoded.subarray(0, -12), Buffer.alloc(0)]) {
      const answer = await post(t, control, coding, body, 'application/json');
      t.match(answer, { status: 400 }, `${coding}: ${answer?.body}`);
    }
  }
  t.strictSame(control.listener.labels, []);
});

t.test('pipelined requests keep their order, compressed or not', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  const parts: Buffer[] = [];
  for (let i = 0; i < 20; i++) {
    const compress = i % 2 === 0;
    const body = compress ? zlib.gzipSync(publishBody(['a', `${i}`])) : Buffer.from(publishBody(['a', `${i}`]));
    const coding = compress ? 'Content-Encoding: gzip\r\n' : '';
    parts.push(
      Buffer.from(`POST /publish/ HTTP/1.1\r\nHost: localhost\r\n${coding}Content-Length: ${body.length}\r\n\r\n`),
      body,
    );
  }
  await connection.write(Buffer.concat(parts));
  for (let i = 0; i < 20; i++) t.match(await connection.answer(), { status: 200 });
  t.strictSame(
    listener.labels,
    Array.from({ length: 20 }, (_, i) => `a/${i}`),
  );
});
