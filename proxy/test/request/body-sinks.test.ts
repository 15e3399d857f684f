import t from 'tap';
import { OriginError } from '../../dist/errors.js';
import { BUFFERED_BODY_MAX, StreamSink } from '../../dist/request/body-sinks.js';

/** A sink, and a note of each call that it makes to its hold and its exchange. */
function fixture(isOver = false) {
  const calls: string[] = [];
  const sink = new StreamSink(
    {
      isOver,
      write: (chunk) => calls.push(`write ${chunk.length}`) > 0,
      opened: () => void calls.push('opened'),
      abandon: () => void calls.push('abandon'),
    },
    {
      resume: () => void calls.push('resume'),
      bodyWhole: () => void calls.push('whole'),
      brokenOff: ({ code }) => void calls.push(`broken off ${code}`),
      fail: (error) => void calls.push(`fail ${(error as OriginError).code}`),
    },
  );
  return { calls, sink };
}

const broken = () => new OriginError('ERR_ORIGIN_CLOSED', 'gone', 'no');

t.test('so much is buffered, then the origin is held back until the hold is open', async (t) => {
  const { calls, sink } = fixture();
  t.equal(sink.onData(Buffer.alloc(BUFFERED_BODY_MAX - 1)), true);
  t.equal(sink.onData(Buffer.alloc(1)), false);
  t.strictSame(calls, []);
  sink.open();
  t.strictSame(calls, [`write ${BUFFERED_BODY_MAX - 1}`, 'write 1', 'resume']);
  sink.onData(Buffer.alloc(5));
  sink.onEnd();
  t.strictSame(calls.slice(3), ['write 5', 'opened', 'whole']);
});

t.test('an origin whose body is whole before is not resumed', async (t) => {
  const { calls, sink } = fixture();
  sink.onData(Buffer.alloc(5));
  sink.onEnd();
  t.strictSame(calls, []);
  sink.open();
  t.strictSame(calls, ['write 5', 'opened', 'whole']);
});

t.test('nothing buffered: nothing to resume', async (t) => {
  const { calls, sink } = fixture();
  sink.open();
  t.equal(sink.onData(Buffer.alloc(5)), true);
  t.strictSame(calls, ['write 5']);
});

t.test(
  'an origin that breaks off is a failed request before the hold is open, and a stream broken off after',
  async (t) => {
    const first = fixture();
    first.sink.onData(Buffer.alloc(5));
    first.sink.onError(broken());
    t.strictSame(first.calls, ['broken off ERR_ORIGIN_CLOSED', 'abandon', 'fail ERR_ORIGIN_CLOSED']);
    const second = fixture();
    second.sink.open();
    second.sink.onError(broken());
    t.strictSame(second.calls, ['broken off ERR_ORIGIN_CLOSED', 'abandon']);
  },
);

t.test('of a hold that has ended meanwhile nothing is answered', async (t) => {
  const { calls, sink } = fixture(true);
  sink.onError(broken());
  t.strictSame(calls, ['broken off ERR_ORIGIN_CLOSED']);
});
