import t from 'tap';
import type { Acceptance, Backplane, BackplaneListener, Gap, HistoryPage, Message } from '../../dist/index.js';
import { BackplaneHub, ControlError, historyOf, LocalBackplane, silentLog } from '../../dist/index.js';
import { rememberedIds, streamMessage } from '../items.js';
import { RecordingListener, RecordingLog } from '../recorder.js';
import { backplaneContract } from './contract.js';

const shares = async () => {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds()), log: silentLog });
  return { backplanes: [hub.share(), hub.share(), hub.share()], dispose: () => hub.close() };
};

backplaneContract(t, 'hub', shares, { parts: true });

/** A backplane whose every step is the test's to take. */
class SlowBackplane implements Backplane {
  unavailableReason: string | undefined;
  readonly calls: string[] = [];
  listener: BackplaneListener | undefined;
  readonly #subscribes: Array<{ resolve: () => void; reject: (error: Error) => void }> = [];

  start(listener: BackplaneListener): Promise<void> {
    this.calls.push('start');
    this.listener = listener;
    return Promise.resolve();
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    return Promise.resolve(messages.map(() => ({ duplicate: false })));
  }

  subscribe(channel: string): Promise<void> {
    this.calls.push(`+${channel}`);
    return new Promise((resolve, reject) => this.#subscribes.push({ resolve, reject }));
  }

  /** Ends the oldest subscribe under way. */
  settle(error?: Error): void {
    const subscribe = this.#subscribes.shift();
    if (error === undefined) subscribe?.resolve();
    else subscribe?.reject(error);
  }

  unsubscribe(channel: string): void {
    this.calls.push(`-${channel}`);
  }

  close(): Promise<void> {
    this.calls.push('close');
    return Promise.resolve();
  }
}

async function fixture(inner = new SlowBackplane(), log = new RecordingLog()) {
  const followed: string[] = [];
  const follower = {
    subscribed: (channel: string) => void followed.push(`+${channel}`),
    unsubscribed: (channel: string) => void followed.push(`-${channel}`),
  };
  const hub = new BackplaneHub({ inner, followers: [follower], log });
  const share = async () => {
    const backplane = hub.share();
    const listener = new RecordingListener();
    await backplane.start(listener);
    return { backplane, listener };
  };
  return { inner, log, followed, hub, one: await share(), two: await share() };
}

t.test('hub: the backplane behind is started once and gets the first and the last interest only', async (t) => {
  const { inner, followed, one, two } = await fixture();
  const waits = [one.backplane.subscribe('a'), two.backplane.subscribe('a')];
  inner.settle();
  await Promise.all(waits);
  t.equal(two.backplane.subscribe('a'), undefined, 'live now');
  one.backplane.unsubscribe('a');
  one.backplane.unsubscribe('a');
  two.backplane.unsubscribe('a');
  t.strictSame(inner.calls, ['start', '+a', '-a']);
  t.strictSame(followed, ['+a', '-a']);
});

t.test('hub: all who wait for a channel wait for the same, and none is live before', async (t) => {
  const { inner, one, two } = await fixture();
  let live = 0;
  const waits = [one, two].map(({ backplane }) => backplane.subscribe('a')?.then(() => ++live));
  await new Promise(setImmediate);
  t.equal(live, 0);
  inner.settle();
  await Promise.all(waits);
  t.equal(live, 2);
});

t.test('hub: a subscribe that fails withdraws the interest of all who waited, and may be tried again', async (t) => {
  const { inner, followed, one, two } = await fixture();
  const waits = [one.backplane.subscribe('a'), two.backplane.subscribe('a')] as Promise<void>[];
  inner.settle(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  for (const wait of waits) await t.rejects(wait, { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  const again = one.backplane.subscribe('a');
  inner.settle();
  await again;
  t.strictSame(inner.calls, ['start', '+a', '+a']);
  t.strictSame(followed, ['+a', '-a', '+a']);
});

t.test('hub: the failure of a subscribe that was withdrawn does not touch the one after it', async (t) => {
  const { inner, one } = await fixture();
  const first = one.backplane.subscribe('a') as Promise<void>;
  one.backplane.unsubscribe('a');
  const second = one.backplane.subscribe('a');
  inner.settle(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  await t.rejects(first);
  inner.settle();
  await second;
  inner.listener?.onMessage(streamMessage('a', '1'));
  t.strictSame(one.listener.labels, ['a/1']);
});

t.test('hub: closing a share withdraws its interest, closing the hub closes what is behind', async (t) => {
  const { inner, hub, one, two } = await fixture();
  void one.backplane.subscribe('a');
  void one.backplane.subscribe('b');
  void two.backplane.subscribe('b');
  await one.backplane.close();
  t.strictSame(inner.calls, ['start', '+a', '+b', '-a']);
  await hub.close();
  t.strictSame(inner.calls.slice(4), ['-b', 'close']);
  await t.rejects(two.backplane.publish([]), { code: 'ERR_BACKPLANE_CLOSED' });
});

t.test('hub: gaps go to those concerned, and one listener that throws harms no other', async (t) => {
  const { inner, log, one, two } = await fixture();
  void one.backplane.subscribe('a');
  void two.backplane.subscribe('a');
  void two.backplane.subscribe('b');
  one.listener.before = () => {
    throw new Error('listener fails');
  };
  inner.listener?.onMessage(streamMessage('a', '1'));
  const gap: Gap = { channel: 'b', reason: 'trimmed', after: { epoch: 'e', offset: 1 }, until: undefined };
  inner.listener?.onGap(gap);
  t.strictSame(two.listener.labels, ['a/1']);
  t.strictSame([one.listener.gaps, two.listener.gaps], [[], [gap]]);
  t.match(log.at('error'), [{ fields: { where: 'backplane', stack: /listener fails/ } }]);
});

t.test('hub: who joins or leaves while an item is handed on is not among those who get it', async (t) => {
  const { inner, hub, one, two } = await fixture();
  const late = hub.share();
  const listener = new RecordingListener();
  await late.start(listener);
  void one.backplane.subscribe('a');
  void two.backplane.subscribe('a');
  one.listener.before = () => {
    void late.subscribe('a');
    two.backplane.unsubscribe('a');
  };
  inner.listener?.onMessage(streamMessage('a', '1'));
  t.strictSame([one.listener.labels, two.listener.labels, listener.labels], [['a/1'], [], []]);
});

t.test('hub: availability and history are those of the backplane behind', async (t) => {
  const page: HistoryPage = { messages: [], end: { epoch: 'e', offset: 1 }, complete: true };
  const inner = Object.assign(new SlowBackplane(), {
    read: () => Promise.resolve(page),
    head: () => Promise.resolve(page.end),
    remove: () => Promise.resolve(),
  });
  const { hub, one } = await fixture(inner);
  inner.unavailableReason = 'away';
  t.strictSame([one.backplane.unavailableReason, hub.unavailableReason], ['away', 'away']);
  t.equal(await historyOf(one.backplane)?.read('a', { afterId: '1' }, 1), page);
  t.equal(await historyOf(one.backplane)?.head('a'), page.end);
  await one.backplane.close();
  await t.rejects(historyOf(one.backplane)?.read('a', { afterId: '1' }, 1) as Promise<unknown>, {
    code: 'ERR_BACKPLANE_CLOSED',
  });
  const { one: without } = await fixture();
  t.equal(historyOf(without.backplane), undefined);
});

t.test('hub: the audience is the interest of shares that serve clients', async (t) => {
  const inner = new SlowBackplane();
  const seen: string[] = [];
  const audience = {
    subscribed: (channel: string) => void seen.push(`+${channel}`),
    unsubscribed: (channel: string) => void seen.push(`-${channel}`),
  };
  const hub = new BackplaneHub({ inner, audience, log: new RecordingLog() });
  const shares = [hub.share({ watches: true }), hub.share(), hub.share()] as const;
  for (const share of shares) await share.start(new RecordingListener());
  const [tap, one, two] = shares;
  const waits = [tap, one, one, two].map((share) => share.subscribe('a'));
  inner.settle();
  await Promise.all(waits);
  t.strictSame(seen, ['+a'], 'a tap is no client, and two are no more than one');
  one.unsubscribe('a');
  t.strictSame(seen, ['+a']);
  await two.close();
  t.strictSame(seen, ['+a', '-a'], 'the tap that is left does not count');
  tap.unsubscribe('a');
  t.strictSame(inner.calls, ['start', '+a', '-a']);
  const failed = one.subscribe('b');
  inner.settle(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  await t.rejects(failed as Promise<void>);
  t.strictSame(seen, ['+a', '-a', '+b', '-b']);
});

t.test('hub: a gap is passed on once, however many have interest in its channel', async (t) => {
  const inner = new SlowBackplane();
  const gaps: string[] = [];
  const hub = new BackplaneHub({ inner, onGap: ({ channel }) => void gaps.push(channel), log: new RecordingLog() });
  const listeners = [new RecordingListener(), new RecordingListener()];
  for (const listener of listeners) {
    const share = hub.share();
    await share.start(listener);
    const live = share.subscribe('a');
    inner.settle();
    await live;
  }
  inner.listener?.onGap({ channel: 'a', reason: 'trimmed', after: { epoch: 'e', offset: 1 }, until: undefined });
  t.strictSame(gaps, ['a']);
  t.strictSame(
    listeners.map((listener) => listener.gaps.length),
    [1, 1],
  );
});
