import t, { type Test } from 'tap';
import type { OriginClient } from '../../dist/origin/client.js';
import type { AnswerSink, OriginHandler } from '../../dist/origin/port.js';
import { describeTarget, send, type TargetRequest } from '../../dist/origin/send.js';
import type { HttpTarget, Target } from '../../dist/routes/target.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { deadPort } from '../kit/ports.js';
import { makeClient, target } from './client-fixture.js';
import { RecordingHandler } from './recording-handler.js';

/** What of a request decides whether it may be sent again. */
interface Nature {
  readonly method?: string;
  readonly body?: string;
  readonly repeatable?: boolean;
  readonly replayable?: boolean;
}

/** Sends a request with these targets; returns what was recorded and which targets were asked. */
function ask(client: OriginClient, targets: readonly Target[], nature: Nature = {}) {
  const { method = 'GET', body, repeatable = true, replayable = true } = nature;
  const recorder = new RecordingHandler();
  const asked: string[] = [];
  const request: TargetRequest = {
    repeatable,
    replayable,
    dispatch: (to, handler) => {
      asked.push(describeTarget(to));
      const origin = client.origin(to as HttpTarget, 'test.example');
      const bytes = body === undefined ? null : Buffer.from(body);
      return origin.dispatch({ method, path: '/', headers: ['Host', 'test.example'], body: bytes }, handler);
    },
  };
  return { recorder, asked, sending: send(targets, request, recorder) };
}

const living = (t: Test) => RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('alive')));

/** An origin that answers the first request of each connection and hangs up on the second. */
const forgetful = (t: Test) => {
  const seen = new Set<number>();
  return RawOrigin.open(t, ({ socket, connection }) => {
    if (seen.has(connection)) socket.destroy();
    else socket.write(answerBytes('alive'));
    seen.add(connection);
  });
};

t.test('targets are tried in order, until one takes the request', async (t) => {
  const [first, second] = [await deadPort(), await deadPort()];
  const third = await living(t);
  const fourth = await living(t);
  const ports = [first, second, third.port, fourth.port];
  const { recorder, asked, sending } = ask(
    makeClient(t),
    ports.map((port) => target(port)),
  );
  t.equal(await recorder.ended(), 'end');
  t.equal(recorder.body, 'alive');
  t.strictSame(
    asked,
    ports.slice(0, 3).map((port) => `127.0.0.1:${port}`),
  );
  t.equal((sending.target as HttpTarget).port, third.port);
  t.equal(fourth.requests.length, 0);
});

t.test('a dead target is asked again for the next request: nothing is remembered', async (t) => {
  const dead = target(await deadPort());
  const origin = await living(t);
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    const { recorder, asked } = ask(client, [dead, target(origin.port)]);
    t.equal(await recorder.ended(), 'end');
    t.equal(asked.length, 2);
  }
});

t.test('a failed TLS handshake and a blocked address lead to the next target', async (t) => {
  const plain = await RawOrigin.open(t, ({ socket }) => socket.destroy());
  const origin = await living(t);
  const cut = await RawOrigin.open(t, () => {}, { handshakeTimeout: 20 });
  const first = target(cut.port, { ssl: true });
  const second = target(plain.port, { untrusted: true });
  const { recorder, asked } = ask(makeClient(t), [first, second, target(origin.port)]);
  t.equal(await recorder.ended(), 'end');
  t.equal(asked.length, 3);
  t.equal(plain.requests.length, 0);
});

t.test('when no target is left the error names all that were tried', async (t) => {
  const [a, b] = [await deadPort(), await deadPort()];
  const { recorder } = ask(makeClient(t), [target(a), target(b, { host: 'localhost' })]);
  t.match(await recorder.ended(), {
    code: 'ERR_ORIGIN_CONNECT',
    message: `Unable to connect to any targets. Tried: 127.0.0.1:${a}, localhost:${b}`,
    repeat: 'no',
    cause: { code: 'ERR_ORIGIN_CONNECT' },
  });
});

t.test('when the last target was blocked the error says so', async (t) => {
  const { recorder } = ask(makeClient(t), [target(await deadPort()), target(1, { untrusted: true })]);
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_BLOCKED', message: 'Origin host/IP blocked.' });
});

t.test('targets are described as operators write them', async (t) => {
  t.equal(describeTarget(target(80, { host: 'a.example' })), 'a.example:80');
  t.equal(describeTarget(target(80, { host: '::1' })), '[::1]:80');
  t.equal(describeTarget({ kind: 'test', subs: [], channels: ['test'] }), 'test');
});

t.test('a body that can be given again goes to the next target whole', async (t) => {
  const origin = await living(t);
  const targets = [target(await deadPort()), target(origin.port)];
  const { recorder } = ask(makeClient(t), targets, { method: 'POST', body: 'all of it', repeatable: false });
  t.equal(await recorder.ended(), 'end');
  t.equal(origin.requests[0]?.body, 'all of it');
});

t.test('a body that cannot be given again goes to no other target', async (t) => {
  const origin = await living(t);
  const port = await deadPort();
  const { recorder } = ask(makeClient(t), [target(port), target(origin.port)], {
    method: 'POST',
    body: 'x',
    replayable: false,
  });
  t.match(await recorder.ended(), { message: `Unable to connect to any targets. Tried: 127.0.0.1:${port}` });
  t.equal(origin.requests.length, 0);
});

t.test('an origin that has the request and fails is the last one asked', async (t) => {
  const other = await living(t);
  for (const [failing, code] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart', 'ERR_ORIGIN_CLOSED'],
    ['nonsense\r\n\r\n', 'ERR_ORIGIN_MALFORMED'],
    ['', 'ERR_ORIGIN_CLOSED'],
  ] as const) {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.end(failing));
    const { recorder } = ask(makeClient(t), [target(origin.port), target(other.port)]);
    t.match(await recorder.ended(), { code });
    t.equal(origin.requests.length, 1);
  }
  t.equal(other.requests.length, 0);
});

t.test('an answer of any status is an answer', async (t) => {
  const broken = await RawOrigin.open(t, ({ socket }) => socket.write('HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n'));
  const other = await living(t);
  const { recorder } = ask(makeClient(t), [target(broken.port), target(other.port)]);
  t.equal(await recorder.ended(), 'end');
  t.equal(recorder.head?.status, 503);
  t.equal(other.requests.length, 0);
});

t.test('stale connections', async (t) => {
  /** Leaves a connection behind that the origin closes when it is used. */
  const prepared = async (t: Test) => {
    const origin = await forgetful(t);
    const client = makeClient(t);
    t.equal(await ask(client, [target(origin.port)]).recorder.ended(), 'end');
    await new Promise(setImmediate);
    return { origin, client };
  };
  t.test('an idempotent request is sent once more, to the same target', async (t) => {
    const { origin, client } = await prepared(t);
    const other = await living(t);
    const { recorder, asked } = ask(client, [target(origin.port), target(other.port)], {
      method: 'PUT',
      body: 'again',
    });
    t.equal(await recorder.ended(), 'end');
    t.strictSame(asked, [`127.0.0.1:${origin.port}`, `127.0.0.1:${origin.port}`]);
    t.strictSame(
      origin.requests.slice(1).map(({ body, connection }) => [body, connection]),
      [
        ['again', 1],
        ['again', 2],
      ],
    );
    t.equal(other.requests.length, 0);
  });
  t.test('a request that an origin may have acted on is not', async (t) => {
    const { origin, client } = await prepared(t);
    const { recorder } = ask(client, [target(origin.port)], { method: 'POST', body: 'once', repeatable: false });
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CLOSED', repeat: 'stale' });
    t.equal(origin.requests.length, 2);
  });
  t.test('nor one whose body cannot be given again', async (t) => {
    const { origin, client } = await prepared(t);
    const { recorder } = ask(client, [target(origin.port)], { method: 'PUT', body: 'once', replayable: false });
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CLOSED' });
    t.equal(origin.requests.length, 2);
  });
  t.test('an origin that always resets is asked twice, not for ever', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.resetAndDestroy());
    const { recorder, asked } = ask(makeClient(t), [target(origin.port)]);
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CLOSED' });
    t.equal(asked.length, 2);
  });
});

t.test('abort gives up the attempt under way, and no other follows', async (t) => {
  const origin = await living(t);
  const { recorder, asked, sending } = ask(makeClient(t), [target(await deadPort()), target(origin.port)]);
  sending.abort();
  const after = ask(makeClient(t), [target(await deadPort()), target(origin.port)]);
  t.equal(await after.recorder.ended(), 'end');
  t.equal(recorder.over, false);
  t.equal(asked.length, 1);
  t.equal(origin.requests.length, 1);
});

t.test('from the head on the answer goes to the sink that the handler chose, and to nobody else', async (t) => {
  const origin = await living(t);
  const sink = new RecordingHandler();
  const heads: number[] = [];
  const never = () => {
    throw new Error('the handler is done');
  };
  const handler: OriginHandler & AnswerSink = {
    onInformation: never,
    onHead: ({ status }) => {
      heads.push(status);
      return sink;
    },
    onData: never,
    onEnd: never,
    onError: never,
  };
  const client = makeClient(t);
  const request: TargetRequest = {
    repeatable: true,
    replayable: true,
    dispatch: (to, attempt) =>
      client
        .origin(to as HttpTarget, 'x')
        .dispatch({ method: 'GET', path: '/', headers: ['Host', 'x'], body: null }, attempt),
  };
  send([target(await deadPort()), target(origin.port)], request, handler);
  t.equal(await sink.ended(), 'end');
  t.strictSame([heads, sink.head, sink.body], [[200], undefined, 'alive']);
});
