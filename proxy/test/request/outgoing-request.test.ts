import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import type { BodySink, ClientBody } from '../../dist/edge/port.js';
import { RequestBody } from '../../dist/request/outgoing-request.js';

/** A client's body that the test feeds by hand. */
class FedBody implements ClientBody {
  readonly length: number | undefined;
  sink: BodySink | undefined;
  paused = false;

  constructor(length?: number) {
    this.length = length;
  }

  read(sink: BodySink): void {
    if (this.sink !== undefined) throw new Error('read twice');
    this.sink = sink;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  send(...texts: string[]): this {
    for (const text of texts) this.sink?.onData(Buffer.from(text));
    return this;
  }

  end(): void {
    this.sink?.onEnd();
  }
}

/** Starts reading a stream, as an origin client does when it is connected. */
async function pull(stream: Buffer | Readable): Promise<string> {
  return Buffer.isBuffer(stream) ? stream.toString() : (await buffer(stream)).toString();
}

/** Resolves after pending stream events. */
const turn = () => new Promise(setImmediate);

t.test('a short body of known length is read whole before it is opened', async (t) => {
  const source = new FedBody(4);
  const body = new RequestBody(source, 100);
  let ready = 0;
  body.ready(() => ready++);
  source.send('bo');
  t.equal(ready, 0);
  source.send('dy').end();
  t.equal(ready, 1);
  t.strictSame(body.open(), Buffer.from('body'));
  t.strictSame(body.open(), Buffer.from('body'), 'as often as it is asked for');
});

t.test('a body that is long, or longer than what is kept, or of unknown length, is not waited for', async (t) => {
  for (const [length, keepMax] of [
    [10_001, 100_000],
    [101, 100],
    [undefined, 100],
  ] as const) {
    const source = new FedBody(length);
    let ready = false;
    new RequestBody(source, keepMax).ready(() => {
      ready = true;
    });
    t.equal(ready, true);
    t.equal(source.sink, undefined, 'and not read before an origin wants it');
  }
});

t.test('a short body that breaks off is never ready', async (t) => {
  const source = new FedBody(4);
  const body = new RequestBody(source, 100);
  body.ready(() => t.fail('ready'));
  source.send('bo').sink?.onAbort();
  t.equal(body.broken, true);
});

t.test('a body flows to the origin as the client sends it', async (t) => {
  const source = new FedBody();
  const stream = new RequestBody(source, 100).open() as Readable;
  const whole = pull(stream);
  await turn();
  source.send('1', '2');
  await turn();
  source.send('3').end();
  t.equal(await whole, '123');
});

t.test('an origin that does not read holds the client back', async (t) => {
  const source = new FedBody();
  const stream = new RequestBody(source, 100).open() as Readable;
  stream.read(0);
  source.send('x'.repeat(stream.readableHighWaterMark));
  t.equal(source.paused, true);
  stream.resume();
  await turn();
  t.equal(source.paused, false);
});

t.test('a body opened again begins again, and the stream before it ends broken', async (t) => {
  const source = new FedBody();
  const body = new RequestBody(source, 100);
  const first = body.open() as Readable;
  first.read(0);
  source.send('12');
  const second = body.open() as Readable;
  t.equal(first.destroyed, true);
  const whole = pull(second);
  source.send('34').end();
  t.equal(await whole, '1234');
  t.equal(body.replayable, true);
  t.equal(await pull(body.open()), '1234', 'and again when all of it is here');
});

t.test('up to its limit a body is kept; one byte more and it can be sent once only', async (t) => {
  const source = new FedBody();
  const body = new RequestBody(source, 4);
  const whole = pull(body.open());
  await turn();
  source.send('1234');
  t.equal(body.replayable, true);
  source.send('5');
  t.equal(body.replayable, false);
  source.send('6').end();
  t.equal(await whole, '123456', 'which it is');
  t.equal(body.bytes, 6);
});

t.test('a client that breaks off breaks the stream, with the client’s fault as the error', async (t) => {
  const source = new FedBody();
  const body = new RequestBody(source, 100);
  const whole = pull(body.open());
  await turn();
  source.send('1').sink?.onAbort();
  await t.rejects(whole, { code: 'ERR_ORIGIN_REQUEST', side: 'client', repeat: 'no' });
  await t.rejects(pull(body.open()), { code: 'ERR_ORIGIN_REQUEST' }, 'and every one opened after it');
});

t.test('for a held request, what the origin has not waited for is read all the same', async (t) => {
  const source = new FedBody();
  const body = new RequestBody(source, 100);
  const ignored = body.open() as Readable;
  body.readOn();
  t.equal(ignored.destroyed, true);
  source.send('late ', 'body').end();
  t.equal(source.paused, false);
  t.equal(await pull(body.open()), 'late body');
});

t.test('a released body keeps nothing', async (t) => {
  const source = new FedBody();
  const body = new RequestBody(source, 100);
  body.readOn();
  source.send('12');
  body.release();
  t.equal(body.replayable, false);
});
