/** What a node's answers share: bodies that are encoded once, and the number of encoders. */
import { gunzipSync } from 'node:zlib';
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { Compression, MAX_ENCODERS, SYNC_MAX } from '../../dist/compression/compression.js';
import { type Codec, codecOf } from '../../dist/http/codings.js';

const gzip = codecOf('gzip') as Codec;
const make = () =>
  new Compression(
    { compressMin: 512, compressTypes: ['Text/*'], compressCookies: false, compress: ['gzip'], compressStreams: false },
    uncontained,
  );
const encode = (compression: Compression, body: Buffer) =>
  new Promise<Buffer | undefined>((resolve) => compression.encode(body, gzip, resolve));

t.test('a body that goes to many is encoded once, at once or elsewhere', async (t) => {
  for (const length of [SYNC_MAX, SYNC_MAX + 1]) {
    const compression = make();
    const body = Buffer.alloc(length, 'an item for all ');
    let isDone = false;
    const first = encode(compression, body);
    compression.encode(body, gzip, () => {
      isDone = true;
    });
    t.equal(isDone, length === SYNC_MAX, `${length} bytes`);
    const encoded = await first;
    t.equal(await encode(compression, body), encoded);
    t.ok(gunzipSync(encoded as Buffer).equals(body));
  }
});

t.test('what would not get shorter goes out as it is, and is not tried again', async (t) => {
  const compression = make();
  const body = gzip.sync(Buffer.from(Array.from({ length: 600 }, (_, i) => (i * i * 31) % 251)));
  let tries = 0;
  const counting: Codec = {
    ...gzip,
    sync: (bytes) => {
      tries++;
      return gzip.sync(bytes);
    },
  };
  for (let i = 0; i < 3; i++) compression.encode(body, counting, (encoded) => t.equal(encoded, undefined));
  t.equal(tries, 1);
});

t.test('where MAX_ENCODERS are at work a long body goes out as it is', async (t) => {
  const compression = make();
  for (let i = 0; i < MAX_ENCODERS; i++) t.ok(compression.enter());
  t.notOk(compression.enter());
  const body = Buffer.alloc(SYNC_MAX + 1);
  t.equal(await encode(compression, body), undefined);
  compression.leave();
  t.ok(gunzipSync((await encode(compression, body)) as Buffer).equals(body));
  t.ok(compression.enter(), 'its encoder has left');
});
