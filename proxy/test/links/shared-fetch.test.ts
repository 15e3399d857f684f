import type { ResponseHead } from '@holdfast/grip';
import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { OriginError } from '../../dist/errors.js';
import { SharedFetches } from '../../dist/links/shared-fetch.js';
import type { AnswerSink, OriginCall, OriginHandler } from '../../dist/origin/port.js';

const HEAD: ResponseHead = { status: 200, reason: 'OK', headers: [] };

/** A request that was sent, in the hands of the test. */
class Sent {
  handler: OriginHandler | undefined;
  sink: AnswerSink | undefined;
  resumed = 0;
  aborted = false;

  readonly send = (handler: OriginHandler): OriginCall => {
    this.handler = handler;
    return {
      resume: () => void this.resumed++,
      abort: () => {
        this.aborted = true;
      },
    };
  };

  head(): void {
    this.sink = this.handler?.onHead(HEAD, undefined);
  }

  /** Gives a part; false when the flow is to stop. */
  data(text: string): boolean | undefined {
    return this.sink?.onData(Buffer.from(text));
  }
}

/** One who fetches, and what it has received, in short. */
class Reader implements OriginHandler, AnswerSink {
  received = '';
  takes = true;
  readonly onDataHook: (() => void) | undefined;

  constructor(onDataHook?: () => void) {
    this.onDataHook = onDataHook;
  }

  onInformation(): void {}

  onHead(): AnswerSink {
    this.received += '<';
    return this;
  }

  onData(chunk: Buffer): boolean {
    this.received += chunk.toString();
    this.onDataHook?.();
    return this.takes;
  }

  onEnd(): void {
    this.received += '>';
  }

  onError(error: OriginError): void {
    this.received += `!${error.code}`;
  }
}

const microtasks = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = () => {
  throw new Error('no second request is sent');
};

t.test('one request for all who want the same; each gets all of the answer', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const readers = [new Reader(), new Reader()];
  fetches.fetch('key', sent.send, readers[0] as Reader);
  fetches.fetch('key', never, readers[1] as Reader);
  t.equal(fetches.size, 1);
  sent.head();
  sent.data('a');
  sent.data('b');
  sent.sink?.onEnd();
  t.strictSame(
    readers.map(({ received }) => received),
    ['<ab>', '<ab>'],
  );
  t.equal(fetches.size, 0);
});

t.test('another key is another request', async (t) => {
  const fetches = new SharedFetches();
  const [a, b] = [new Sent(), new Sent()];
  fetches.fetch('a', a.send, new Reader());
  fetches.fetch('b', b.send, new Reader());
  t.ok(a.handler !== undefined && b.handler !== undefined);
  t.equal(fetches.size, 2);
});

t.test('what is over is not shared: the next request is a new one', async (t) => {
  const fetches = new SharedFetches();
  const [first, second] = [new Sent(), new Sent()];
  fetches.fetch('key', first.send, new Reader());
  first.head();
  first.sink?.onEnd();
  fetches.fetch('key', second.send, new Reader());
  t.ok(second.handler);
});

t.test('one who joins later is given what has come already, not within its call, and then the rest', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  fetches.fetch('key', sent.send, new Reader());
  sent.head();
  sent.data('a');
  const late = new Reader();
  fetches.fetch('key', never, late);
  t.equal(late.received, '');
  await microtasks();
  t.equal(late.received, '<a');
  sent.data('b');
  sent.sink?.onEnd();
  t.equal(late.received, '<ab>');
});

t.test('what comes in the very turn of the joining is not lost, be it the end', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  fetches.fetch('key', sent.send, new Reader());
  sent.head();
  const late = new Reader();
  fetches.fetch('key', never, late);
  sent.data('a');
  sent.data('x'.repeat(100_000));
  sent.data('b');
  sent.sink?.onEnd();
  await microtasks();
  t.equal(late.received, `<a${'x'.repeat(100_000)}b>`);
});

t.test('an answer that is too long to be given again is joined no more', async (t) => {
  const fetches = new SharedFetches();
  const [first, second] = [new Sent(), new Sent()];
  fetches.fetch('key', first.send, new Reader());
  first.head();
  first.data('x'.repeat(100_000));
  fetches.fetch('key', never, new Reader());
  await microtasks();
  first.data('y');
  const reader = new Reader();
  fetches.fetch('key', second.send, reader);
  second.head();
  second.data('z');
  first.sink?.onEnd();
  t.equal(fetches.size, 1, 'the end of the first is not taken for that of the second');
  second.sink?.onEnd();
  t.equal(reader.received, '<z>');
});

t.test('a failure is everybody’s', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const readers = [new Reader(), new Reader()];
  for (const reader of readers) fetches.fetch('key', sent.send, reader);
  sent.handler?.onError(new OriginError('ERR_ORIGIN_CLOSED', 'x', 'no'));
  t.strictSame(
    readers.map(({ received }) => received),
    ['!ERR_ORIGIN_CLOSED', '!ERR_ORIGIN_CLOSED'],
  );
  t.equal(fetches.size, 0);
});

t.test('the slowest decides on the flow', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const [slow, quick] = [new Reader(), new Reader()];
  const calls = [slow, quick].map((reader) => fetches.fetch('key', sent.send, reader));
  sent.head();
  slow.takes = false;
  t.equal(sent.data('a'), false);
  calls[1]?.resume();
  t.equal(sent.resumed, 0);
  calls[0]?.resume();
  t.equal(sent.resumed, 1);
  slow.takes = true;
  t.equal(sent.data('b'), true);
});

t.test('a slow one that gives up sets the others free', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const [slow, quick] = [new Reader(), new Reader()];
  const call = fetches.fetch('key', sent.send, slow);
  fetches.fetch('key', sent.send, quick);
  sent.head();
  slow.takes = false;
  sent.data('a');
  call.abort();
  t.equal(sent.resumed, 1);
  t.notOk(sent.aborted);
  sent.data('b');
  t.strictSame([slow.received, quick.received], ['<a', '<ab']);
});

t.test('the request is given up with the last who wants it', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const calls = [new Reader(), new Reader()].map((reader) => fetches.fetch('key', sent.send, reader));
  calls[0]?.abort();
  t.notOk(sent.aborted);
  calls[1]?.abort();
  t.ok(sent.aborted);
  t.equal(fetches.size, 0);
});

t.test('one who has just joined keeps the request, although all others give it up', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const first = fetches.fetch('key', sent.send, new Reader());
  sent.head();
  sent.data('a');
  const late = new Reader();
  fetches.fetch('key', never, late);
  first.abort();
  t.notOk(sent.aborted);
  await microtasks();
  sent.data('b');
  sent.sink?.onEnd();
  t.equal(late.received, '<ab>');
});

t.test('one who joins and gives up in one turn hears nothing, and is not waited for', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const first = fetches.fetch('key', sent.send, new Reader());
  sent.head();
  const late = new Reader();
  const call = fetches.fetch('key', never, late);
  call.abort();
  t.notOk(sent.aborted);
  await microtasks();
  t.equal(late.received, '');
  first.abort();
  t.ok(sent.aborted);
});

t.test('one who gives up in the middle of what it is given hears no more of it', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  let call: OriginCall | undefined;
  const reader = new Reader(() => call?.abort());
  fetches.fetch('key', sent.send, new Reader());
  sent.head();
  sent.data('a');
  sent.data('b');
  call = fetches.fetch('key', never, reader);
  await microtasks();
  t.equal(reader.received, '<a');
});

t.test('the work for those who block and go on grows no faster than their number', async (t) => {
  const ratio = await growth(2_000, (size) => {
    const fetches = new SharedFetches();
    const sent = new Sent();
    const readers = Array.from({ length: size }, () => new Reader());
    const calls = readers.map((reader) => fetches.fetch('k', sent.send, reader));
    sent.head();
    for (const reader of readers) reader.takes = false;
    return () => {
      t.equal(sent.data('x'), false);
      for (const call of calls) call.resume();
      t.equal(sent.resumed, 1);
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});

t.test('one that goes while it blocks does not hold the others back', async (t) => {
  const fetches = new SharedFetches();
  const sent = new Sent();
  const [first, second] = [new Reader(), new Reader()];
  const calls = [first, second].map((reader) => fetches.fetch('k', sent.send, reader));
  sent.head();
  first.takes = false;
  t.equal(sent.data('x'), false);
  t.equal(sent.data('y'), false);
  calls[0]?.abort();
  calls[0]?.resume();
  t.equal(sent.resumed >= 1, true);
  t.equal(sent.data('z'), true);
});
