import t from 'tap';
import { NodeResponse } from '../../dist/edge/node/response.js';
import { HoldFixture } from '../holds/hold-fixture.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';

/** The methods that were called between an origin's chunk and each write to a client's response. */
const paths: string[][] = [];
const limit = Error.stackTraceLimit;
Error.stackTraceLimit = 50;
for (const name of ['write', 'end'] as const) {
  const method = NodeResponse.prototype[name] as (...parameters: unknown[]) => unknown;
  const recording = function (this: NodeResponse, ...parameters: unknown[]): unknown {
    const trace: { stack?: string } = {};
    Error.captureStackTrace(trace, recording);
    const callers = [...(trace.stack ?? '').matchAll(/^ +at (?:async )?(\S+) /gm)].map(
      ([, caller]) => caller as string,
    );
    const chunk = callers.indexOf('HttpCall.onData');
    if (chunk >= 0) paths.push(callers.slice(0, chunk).reverse());
    return method.apply(this, parameters);
  };
  NodeResponse.prototype[name] = recording as never;
}
t.teardown(() => {
  Error.stackTraceLimit = limit;
});

t.test('a chunk of a relayed body passes one of our objects', async (t) => {
  paths.length = 0;
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask('/');
  (await fixture.asked()).answer({ body: 'body' });
  t.equal(await (await answer).end(), 'complete');
  t.strictSame(paths, [['Relay.onData']]);
});

for (const waits of [false, true]) {
  t.test(`a chunk of a stream that ${waits ? 'waited' : 'did not wait'} passes no more than three`, async (t) => {
    paths.length = 0;
    const live = new Turn();
    const fixture = await HoldFixture.open(t, waits ? { live } : {});
    const answer = fixture.ask('/');
    const origin = await fixture.asked();
    origin.begin({ 'Grip-Hold': 'stream', 'Grip-Channel': 'room' }, 'first');
    await until('the hold', () => fixture.registry.count('room') === 1);
    live.resolve();
    const stream = await answer;
    await stream.until('first');
    paths.length = 0;
    origin.write(' second');
    await stream.until('first second');
    t.equal(paths.length, 1);
    t.ok((paths[0] as string[]).length <= 3, paths.join());
  });
}
