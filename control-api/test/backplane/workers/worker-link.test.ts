import t from 'tap';
import type { Acceptance, Backplane, BackplaneListener, Gap, Message } from '../../../dist/index.js';
import {
  ControlError,
  Faults,
  historyOf,
  MessageEncoder,
  silentLog,
  WorkerBackplane,
  WorkerLink,
} from '../../../dist/index.js';
import { label, streamMessage } from '../../items.js';
import { ManualClock } from '../../manual-clock.js';
import { RecordingListener, RecordingLog } from '../../recorder.js';

/** A backplane that does what the test sets. */
class ScriptedBackplane implements Backplane {
  unavailableReason: string | undefined;
  listener: BackplaneListener | undefined;
  readonly calls: string[] = [];
  refusal: ControlError | undefined;

  start(listener: BackplaneListener): Promise<void> {
    this.listener = listener;
    return Promise.resolve();
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    for (const message of messages) this.calls.push(label(message));
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    return Promise.resolve(
      messages.map((_, i) => ({ duplicate: i > 0, nodes: 3, position: { epoch: 'e', offset: i } })),
    );
  }

  subscribe(channel: string): Promise<void> | undefined {
    this.calls.push(`+${channel}`);
    return this.refusal && Promise.reject(this.refusal);
  }

  unsubscribe(channel: string): void {
    this.calls.push(`-${channel}`);
  }

  close(): Promise<void> {
    this.calls.push('close');
    return Promise.resolve();
  }
}

/** Two ends joined as a process's channel joins them: later, in order, and copied. */
function join() {
  const make = () => {
    const posts: unknown[] = [];
    let receive: (message: unknown) => void = () => {};
    let closed = () => {};
    const port = {
      post: (message: unknown) => {
        posts.push(message);
        setImmediate(() => other?.receive(structuredClone(message)));
      },
      listen: (listener: (message: unknown) => void, onClosed: () => void) => {
        receive = (message) => listener(restore(message));
        closed = onClosed;
      },
    };
    let other: { receive: (message: unknown) => void } | undefined;
    return {
      posts,
      port,
      to: (end: { receive: (message: unknown) => void }) => {
        other = end;
      },
      receive: (message: unknown) => receive(message),
      cut: () => closed(),
    };
  };
  const [worker, primary] = [make(), make()];
  worker.to(primary);
  primary.to(worker);
  return { worker, primary };
}

/** Structured clones hold byte arrays where a process's channel gives Buffers. */
function restore(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Array.isArray(value) ? value.map(restore) : value;
}

async function fixture({ history = false } = {}) {
  const { worker, primary } = join();
  const inner = new ScriptedBackplane();
  const clock = new ManualClock();
  if (history) {
    const messages = [{ ...streamMessage('a', '7'), position: { epoch: 'e', offset: 7 } }];
    const read = () => Promise.resolve({ messages, end: { epoch: 'e', offset: 7 }, complete: true });
    Object.assign(inner, { read, head: () => Promise.resolve({ epoch: 'e', offset: 7 }), remove: async () => {} });
  }
  const link = new WorkerLink({ share: inner, port: primary.port, encoder: new MessageEncoder(), clock });
  const log = new RecordingLog();
  const faultPlaces: string[] = [];
  const faults = new Faults(log, { faultCaught: (where) => void faultPlaces.push(where) });
  const backplane = new WorkerBackplane({ port: worker.port, history, log: silentLog, faults });
  const listener = new RecordingListener();
  await backplane.start(listener);
  return { worker, primary, inner, clock, link, backplane, listener, log, faultPlaces };
}

const turn = async () => {
  for (let i = 0; i < 6; i++) await new Promise(setImmediate);
};

t.test('link: what a worker asks within a callback goes in one post, in order', async (t) => {
  const { worker, inner, backplane } = await fixture();
  await Promise.all([backplane.subscribe('a'), backplane.subscribe('b')]);
  const before = worker.posts.length;
  backplane.unsubscribe('a');
  backplane.unsubscribe('never');
  backplane.unsubscribe('b');
  await backplane.publish([streamMessage('a', '1')]);
  t.equal(worker.posts.length, before + 1);
  t.strictSame(inner.calls, ['+a', '+b', '-a', '-b', 'a/1']);
});

t.test('link: interest has been posted when subscribe returns, behind what was asked before', async (t) => {
  const { worker, inner, backplane } = await fixture();
  await backplane.subscribe('a');
  const before = worker.posts.length;
  backplane.unsubscribe('a');
  const pending = backplane.subscribe('a');
  t.equal(worker.posts.length, before + 1);
  t.equal(backplane.subscribe('a'), pending, 'asked for already');
  t.equal(worker.posts.length, before + 1);
  await pending;
  t.strictSame(inner.calls, ['+a', '-a', '+a']);
  t.equal(backplane.subscribe('a'), undefined, 'live now');
});

t.test(
  'link: the messages of a turn go in one post, with their positions, and are received in one block',
  async (t) => {
    const { primary, inner, backplane, listener } = await fixture();
    await backplane.subscribe('a');
    const before = primary.posts.length;
    let block = 0;
    const blocks: number[] = [];
    listener.before = () => {
      blocks.push(block);
      setImmediate(() => block++);
    };
    inner.listener?.onMessage({ ...streamMessage('a', '1'), position: { epoch: 'e', offset: 4 } });
    inner.listener?.onMessage(streamMessage('a', '2'));
    const gap: Gap = { channel: 'a', reason: 'trimmed', after: { epoch: 'e', offset: 4 }, until: undefined };
    inner.listener?.onGap(gap);
    await listener.saw('a/2');
    t.equal(primary.posts.length, before + 1);
    t.strictSame(blocks, [0, 0]);
    t.match(listener.messages[0], { position: { epoch: 'e', offset: 4 } });
    t.strictSame(listener.gaps, [gap]);
  },
);

t.test('link: acceptances and refusals come back as they were', async (t) => {
  const { inner, backplane } = await fixture();
  t.strictSame(await backplane.publish([streamMessage('a', '1'), streamMessage('a', '1')]), [
    { duplicate: false, nodes: 3, position: { epoch: 'e', offset: 0 } },
    { duplicate: true, nodes: 3, position: { epoch: 'e', offset: 1 } },
  ]);
  inner.refusal = new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The store is away.');
  const refused = { code: 'ERR_BACKPLANE_UNAVAILABLE', message: 'The store is away.' };
  await t.rejects(backplane.publish([streamMessage('a', '2')]), refused);
  await t.rejects(backplane.subscribe('a') as Promise<void>, refused);
  inner.refusal = undefined;
  await backplane.subscribe('a');
  t.strictSame(inner.calls.slice(2), ['a/2', '+a', '+a'], 'the interest was withdrawn, and is declared again');
});

t.test('link: a worker learns that the backplane is unavailable, and when it is back', async (t) => {
  const { inner, clock, backplane } = await fixture();
  t.equal(backplane.unavailableReason, undefined);
  inner.unavailableReason = 'the store is away';
  clock.advance(1_000);
  await turn();
  t.equal(backplane.unavailableReason, 'the store is away');
  inner.unavailableReason = undefined;
  clock.advance(1_000);
  await turn();
  t.equal(backplane.unavailableReason, undefined);
});

t.test('link: history is read through it where there is any', async (t) => {
  const { backplane } = await fixture({ history: true });
  const page = await historyOf(backplane)?.read('a', { afterId: '6' }, 10);
  t.match(page, { messages: [{ id: '7', position: { offset: 7 } }], end: { epoch: 'e', offset: 7 }, complete: true });
  t.strictSame(await historyOf(backplane)?.head('a'), { epoch: 'e', offset: 7 });
  const { backplane: without } = await fixture();
  t.equal(historyOf(without), undefined);
});

t.test('link: a worker that has gone leaves its share', async (t) => {
  const { primary, inner } = await fixture();
  primary.cut();
  t.strictSame(inner.calls, ['close']);
  inner.listener?.onMessage(streamMessage('a', '1'));
  await turn();
  t.strictSame(primary.posts.length, 1, 'nothing is posted any more');
});

t.test(
  'link: a listener that throws is a fault of the worker, and the next message and gap still reach it',
  async (t) => {
    const { inner, backplane, listener, log, faultPlaces } = await fixture();
    await backplane.subscribe('a');
    listener.before = (message) => {
      if (label(message) === 'a/1') throw new Error('listener fails');
    };
    const onGap = listener.onGap.bind(listener);
    listener.onGap = (gap) => {
      onGap(gap);
      throw new Error('gap fails');
    };
    const gap: Gap = { channel: 'a', reason: 'epoch', after: { epoch: 'e', offset: 1 }, until: undefined };
    inner.listener?.onMessage(streamMessage('a', '1'));
    inner.listener?.onGap(gap);
    inner.listener?.onMessage(streamMessage('a', '2'));
    await listener.saw('a/2');
    t.strictSame(listener.gaps, [gap]);
    t.strictSame(faultPlaces, ['backplane', 'backplane']);
    t.match(log.at('error'), [{ fields: { stack: /listener fails/ } }, { fields: { stack: /gap fails/ } }]);
  },
);

t.test('link: meta of an item has no prototype on the other side either', async (t) => {
  const { inner, backplane, listener } = await fixture();
  await backplane.subscribe('a');
  const message = streamMessage('a', '1');
  const meta = Object.assign(Object.create(null), { sender: 'x' });
  inner.listener?.onMessage({ ...message, item: { ...message.item, meta } });
  await listener.saw('a/1');
  const [received] = listener.messages;
  if (received?.type !== 'item') throw new Error('not an item');
  t.equal(received.item.meta.constructor, undefined);
  t.equal(received.item.meta.sender, 'x');
});

t.test('link: an item for several workers is encoded once', (t) => {
  const encoder = new MessageEncoder();
  const [one, two] = [streamMessage('a', '1'), streamMessage('a', '2')];
  const bytes = encoder.encode(one);
  t.equal(encoder.encode(one), bytes);
  t.not(encoder.encode(two), bytes);
  t.end();
});
