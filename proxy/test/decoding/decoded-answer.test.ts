import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { Faults, silentLog } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import t from 'tap';
import { CODINGS_MAX, codingsOf, ZSTD_WINDOW_LOG } from '../../dist/decoding/codings.js';
import { DecodedBody } from '../../dist/decoding/decoded-answer.js';
import type { OriginError } from '../../dist/errors.js';
import { until } from '../kit/until.js';

/** How a body can be encoded, by the name of its coding. Newer versions of node know one more. */
const encoders: Record<string, (body: Buffer) => Buffer> = {
  gzip: (body) => zlib.gzipSync(body),
  'X-GZIP': (body) => zlib.gzipSync(body),
  deflate: (body) => zlib.deflateSync(body),
  br: (body) => zlib.brotliCompressSync(body, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
};
type Zstd = (body: Buffer, options?: object) => Buffer;
const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: Zstd };
if (zstdCompressSync !== undefined) encoders.zstd = zstdCompressSync;

/** Who takes a body, and where it comes from, both in one. */
class Fixture {
  readonly chunks: Buffer[] = [];
  ended = 0;
  error: OriginError | undefined;
  resumed = 0;
  aborted = 0;
  takes = true;
  faults = 0;
  onChunk = () => {};
  onResume = () => {};
  readonly body: DecodedBody;

  constructor(...names: string[]) {
    const sink = {
      onData: (chunk: Buffer) => {
        this.chunks.push(chunk);
        this.onChunk();
        return this.takes;
      },
      onEnd: () => void this.ended++,
      onError: (error: OriginError) => {
        this.error = error;
      },
    };
    const source = {
      resume: () => {
        this.resumed++;
        this.onResume();
      },
      abort: () => void this.aborted++,
    };
    const faults = new Faults(silentLog, { faultCaught: () => void this.faults++ });
    this.body = new DecodedBody(codingsOf(names.flatMap((name) => ['Content-Encoding', name])), sink, source, faults);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Gives these bytes, in pieces of that size, and the end. */
  give(bytes: Buffer, size = bytes.length): this {
    for (let at = 0; at < bytes.length; at += size) this.body.onData(bytes.subarray(at, at + size));
    this.body.onEnd();
    return this;
  }

  async over(): Promise<this> {
    await until('the end of the body', () => this.ended > 0 || this.error !== undefined);
    return this;
  }
}

const LONG = Buffer.concat([randomBytes(70_000), Buffer.alloc(300_000, 'ab'), randomBytes(1_000)]);

for (const [name, encode] of Object.entries(encoders)) {
  t.test(`${name} is decoded, in however many pieces it comes`, async (t) => {
    for (const size of [1, 7, 65_536, 10_000_000]) {
      const body = size === 1 ? LONG.subarray(0, 5_000) : LONG;
      const fixture = await new Fixture(name).give(encode(body), size).over();
      t.ok(Buffer.concat(fixture.chunks).equals(body), `pieces of ${size}`);
      t.match(fixture, { ended: 1, error: undefined });
    }
  });

  t.test(`an empty body is none of ${name}`, async (t) => {
    t.match(new Fixture(name).give(Buffer.alloc(0)), { ended: 1, chunks: [], error: undefined });
    t.match(await new Fixture(name).give(encode(Buffer.alloc(0))).over(), { ended: 1, text: '', error: undefined });
  });

  t.test(`${name} that breaks off is an error, and what came before has gone on`, async (t) => {
    const bytes = encode(LONG);
    const fixture = await new Fixture(name).give(bytes.subarray(0, bytes.length - 2)).over();
    t.match(fixture, {
      ended: 0,
      aborted: 1,
      error: { code: 'ERR_ORIGIN_CODING', message: /not what its Content-Encoding says/ },
    });
    t.ok(LONG.subarray(0, fixture.length).equals(Buffer.concat(fixture.chunks)));
  });

  t.test(`what is no ${name} is an error`, async (t) => {
    const fixture = await new Fixture(name).give(Buffer.from('\xff\xffplain text as it is', 'latin1')).over();
    t.match(fixture, { ended: 0, aborted: 1, error: { code: 'ERR_ORIGIN_CODING' } });
  });

  t.test(`of ${name} that becomes very much, no more is made than is taken`, async (t) => {
    const fixture = new Fixture(name);
    fixture.takes = false;
    const bomb = encode(Buffer.alloc(100_000_000));
    fixture.body.onData(bomb);
    fixture.body.onEnd();
    await until('the first of it', () => fixture.chunks.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.ok(fixture.length < 200_000, `${fixture.length} bytes`);
    fixture.body.resume();
    await until('more of it', () => fixture.chunks.length > 1);
    fixture.body.abort();
    const { length } = fixture;
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.match(fixture, { length, ended: 0, error: undefined, aborted: 1 }, 'given up, nothing follows');
  });
}

t.test('deflate without the format of zlib is decoded too', async (t) => {
  t.match(await new Fixture('deflate').give(zlib.deflateRawSync('bare'), 1).over(), { text: 'bare', ended: 1 });
  const stored = zlib.deflateRawSync(LONG, { level: 0 });
  t.equal((await new Fixture('deflate').give(stored, 1_000).over()).length, LONG.length);
});

t.test('gzip of several members is one body (RFC 1952 §2.2)', async (t) => {
  const members = Buffer.concat([zlib.gzipSync('one '), zlib.gzipSync('two')]);
  for (const size of [1, 1_000])
    t.match(await new Fixture('gzip').give(members, size).over(), { text: 'one two', ended: 1 });
});

t.test('what follows the end of a coded body is passed over, and the source goes on', async (t) => {
  for (const name of ['deflate', 'br', 'gzip']) {
    const fixture = new Fixture(name);
    const bytes = encoders[name]?.(Buffer.from('whole')) as Buffer;
    fixture.body.onData(Buffer.concat([bytes, Buffer.alloc(100_000)]));
    await until('the body', () => fixture.text === 'whole' && fixture.resumed > 0);
    t.equal(fixture.ended, 0, 'it ends with its source');
    t.equal(fixture.body.onData(Buffer.alloc(100_000)), true);
    fixture.body.onEnd();
    t.match(await fixture.over(), { text: 'whole', ended: 1, error: undefined }, name);
  }
});

t.test('a piece that was flushed is there before the next one comes', async (t) => {
  const gzip = zlib.createGzip();
  const fixture = new Fixture('gzip');
  gzip.on('data', (chunk) => fixture.body.onData(chunk));
  for (const part of ['first', 'second', 'third']) {
    gzip.write(part);
    gzip.flush(zlib.constants.Z_SYNC_FLUSH);
    await until(part, () => fixture.text.endsWith(part));
  }
  t.equal(fixture.text, 'firstsecondthird');
  fixture.body.abort();
});

t.test('a source that is too fast is held back, and goes on', async (t) => {
  const fixture = new Fixture('gzip', 'br');
  fixture.takes = false;
  const bytes = encoders.br?.(encoders.gzip?.(randomBytes(2_000_000)) as Buffer) as Buffer;
  let at = 0;
  const feed = () => {
    while (at < bytes.length) {
      const chunk = bytes.subarray(at, at + 16_384);
      at += chunk.length;
      if (!fixture.body.onData(chunk)) return;
    }
    fixture.body.onEnd();
  };
  fixture.onResume = feed;
  feed();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const held = at;
  t.ok(held < 500_000, `${held} bytes were taken`);
  fixture.takes = true;
  fixture.body.resume();
  await until('the end', () => fixture.ended > 0);
  t.equal(fixture.length, 2_000_000);
});

t.test('several codings are taken off in turn, however they are listed', async (t) => {
  const bytes = zlib.deflateSync(zlib.brotliCompressSync(zlib.gzipSync('thrice')));
  for (const names of [['gzip, br, deflate'], ['gzip', 'identity', 'br', ' , deflate ,'], ['GZip,bR', 'Deflate']]) {
    t.match(await new Fixture(...names).give(bytes, 3).over(), { text: 'thrice', ended: 1 }, names.join(' | '));
  }
  const broken = await new Fixture('gzip, br').give(zlib.brotliCompressSync(Buffer.from('no gzip'))).over();
  t.match(broken, { error: { code: 'ERR_ORIGIN_CODING' }, aborted: 1, ended: 0 }, 'the inner one is wrong');
});

t.test('codings that are not known, or too many, are refused before a byte of the body', async (t) => {
  const of = (...values: string[]) => codingsOf(values.flatMap((value) => ['content-encoding', value]));
  for (const value of ['compress', 'gzip, x', 'aws-chunked', 'gzip;q=1', 'x'.repeat(10_000)]) {
    t.throws(() => of(value), { code: 'ERR_ORIGIN_CODING', message: /^.{20,150}$/ }, value.slice(0, 20));
  }
  t.throws(() => of('compress'), { message: /Content-Encoding 'compress' is not one that can be decoded/ });
  t.equal(of('gzip, gzip', 'gzip').length, CODINGS_MAX);
  t.throws(() => of('gzip, gzip', 'gzip, br'), { code: 'ERR_ORIGIN_CODING', message: /more than 3 content codings/ });
  for (const headers of [[], ['Content-Encoding', ''], ['Content-Encoding', 'identity, Identity']] as RawHeaders[]) {
    t.equal(codingsOf(headers).length, 0);
  }
});

t.test('zstd that asks for a window over 8 MiB is refused', { skip: zstdCompressSync === undefined }, async (t) => {
  const { constants } = zlib as unknown as { constants: { ZSTD_c_windowLog: number } };
  const params = { [constants.ZSTD_c_windowLog]: ZSTD_WINDOW_LOG + 2 };
  const bytes = (zstdCompressSync as Zstd)(randomBytes(2 ** (ZSTD_WINDOW_LOG + 1)), { params });
  t.match(await new Fixture('zstd').give(bytes, 65_536).over(), { error: { code: 'ERR_ORIGIN_CODING' } });
});

t.test(
  'who takes the body and throws hears of it as of a failure of the origin, and nothing else happens',
  async (t) => {
    const fixture = new Fixture('gzip');
    fixture.onChunk = () => {
      throw new Error('broken');
    };
    fixture.give(zlib.gzipSync(LONG));
    t.match(await fixture.over(), { ended: 0, faults: 1, aborted: 1, error: { code: 'ERR_ORIGIN_FAULT' } });
    t.equal(fixture.chunks.length, 1);
  },
);

t.test('an error of the source goes on, once', async (t) => {
  const fixture = new Fixture('gzip', 'br');
  fixture.body.onData(zlib.brotliCompressSync(zlib.gzipSync('x')).subarray(0, 5));
  const error = { code: 'ERR_ORIGIN_CLOSED' } as OriginError;
  fixture.body.onError(error);
  t.equal(fixture.error, error);
  fixture.error = undefined;
  fixture.body.onEnd();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(fixture, { error: undefined, ended: 0 });
});
