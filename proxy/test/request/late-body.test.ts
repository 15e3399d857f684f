import t from 'tap';
import { OriginError } from '../../dist/origin/errors.js';
import { LATE_BODY_MAX, LateBody } from '../../dist/request/late-body.js';

/** A late body, and a note of each call that it makes. */
function scene() {
  const calls: string[] = [];
  const body = new LateBody(
    () => calls.push('resume'),
    ({ code }) => calls.push(`failed ${code}`),
  );
  const taker = {
    onData: (chunk: Buffer) => calls.push(`data ${chunk.length}`) > 0,
    onEnd: () => void calls.push('end'),
    onError: ({ code }: OriginError) => void calls.push(`error ${code}`),
  };
  return { calls, body, taker };
}

const broken = () => new OriginError('ERR_ORIGIN_CLOSED', 'gone', 'no');

t.test('an origin is read so far, and then held back until somebody takes what it says', async (t) => {
  const { calls, body, taker } = scene();
  t.equal(body.onData(Buffer.alloc(LATE_BODY_MAX - 1)), true);
  t.equal(body.onData(Buffer.alloc(1)), false);
  t.strictSame(calls, []);
  body.start(taker);
  t.strictSame(calls, [`data ${LATE_BODY_MAX - 1}`, 'data 1', 'resume']);
  body.onData(Buffer.alloc(5));
  body.onEnd();
  t.strictSame(calls.slice(3), ['data 5', 'end']);
});

t.test('one that has said all before is not asked to go on', async (t) => {
  const { calls, body, taker } = scene();
  body.onData(Buffer.alloc(5));
  body.onEnd();
  body.start(taker);
  t.strictSame(calls, ['data 5', 'end']);
});

t.test('one that breaks off is told at once before, and to whoever takes the body afterwards', async (t) => {
  const first = scene();
  first.body.onData(Buffer.alloc(5));
  first.body.onError(broken());
  t.strictSame(first.calls, ['failed ERR_ORIGIN_CLOSED']);
  const second = scene();
  second.body.start(second.taker);
  second.body.onError(broken());
  t.strictSame(second.calls, ['resume', 'error ERR_ORIGIN_CLOSED']);
});
