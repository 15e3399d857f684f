import { LocalBackplane, silentLog, uncontained } from '@holdfast/control-api';
import type { Item } from '@holdfast/grip';
import t from 'tap';
import { ChannelPresence } from '../../dist/channels/presence.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import type { Subscriber } from '../../dist/channels/subscriber.js';
import { LIVE_WAIT_MS } from '../../dist/channels/subscriber-deps.js';
import type { OriginSocket } from '../../dist/sessions/origin-socket.js';
import { OriginOrder, SESSION_META_MAX, Subscriptions } from '../../dist/sessions/subscriptions.js';
import { ManualClock } from '../kit/manual-clock.js';
import { Turn } from '../kit/turn.js';

/** The channels of one subscriber, in a registry of a backplane that is live. */
async function subscriptions({ prefix = '', reserved = '', implicit = [], max = 10, presence }: Partial<Choices> = {}) {
  const backplane = new LocalBackplane(silentLog);
  await backplane.start({ onMessage() {}, onGap() {} });
  const members: string[] = [];
  const channels = new ChannelPresence({
    clock: new ManualClock(),
    presenceDelay: 0,
    counts: {
      enter: (channel, user, info) => void members.push(`+${channel} ${user} ${info}`),
      leave: (channel, user) => void members.push(`-${channel} ${user}`),
    },
  });
  const registry = new ChannelRegistry(backplane, new ManualClock(), 0, { presence: channels });
  const subscriber: Subscriber = {
    id: 's1',
    kind: 'ws',
    routeKey: '',
    deliver: () => true,
    recover() {},
    missed() {},
    expire() {},
    expiryDue() {},
    drain() {},
    disconnect() {},
    fault() {},
    view: () => ({ id: 's1', kind: 'ws', client: '', since: '', channels: [], items: 0, waiting: 0 }),
  };
  const own = new Subscriptions(
    subscriber,
    registry,
    {
      prefix,
      reserved,
      presence,
      channelNameMax: Number.POSITIVE_INFINITY,
      patternSeparator: '/',
      patternAll: false,
    },
    implicit,
    max,
  );
  own.start();
  /** Of these channels, those that the subscriber is on. */
  const on = (...channels: string[]) => channels.filter((channel) => registry.of(channel).has(subscriber));
  return { own, registry, on, members };
}

interface Choices {
  readonly prefix: string;
  readonly reserved: string;
  readonly implicit: readonly string[];
  readonly max: number;
  readonly presence: 'list' | 'events' | undefined;
}

t.test('implicit channels are there from the start, once each, without the prefix', async (t) => {
  const { own, on } = await subscriptions({ prefix: 'p-', implicit: ['a', 'b', 'a'] });
  t.strictSame(on('a', 'b', 'p-a'), ['a', 'b']);
  t.strictSame(own.channels, ['a', 'b']);
});

t.test('a channel that is none of the route’s is not added, and cannot be removed', async (t) => {
  const { own, on } = await subscriptions({ reserved: '|', implicit: ['a|b'] });
  t.match(own.add('p|x', []), { outcome: 'not-allowed', live: undefined });
  t.equal(own.remove('a|b'), undefined);
  t.strictSame(on('p|x', 'a|b'), ['a|b']);
});

t.test('a channel is added with the prefix, and removed by the name that it was added by', async (t) => {
  const { own, on, registry } = await subscriptions({ prefix: 'p-' });
  t.equal(own.add('a', []).outcome, 'subscribed');
  t.strictSame(on('a', 'p-a'), ['p-a']);
  own.remove('p-a');
  t.strictSame(on('p-a'), ['p-a'], 'the prefix is not the origin’s to name');
  own.remove('a');
  t.equal(registry.size, 0);
  own.remove('a');
});

t.test('more channels than allowed are refused; implicit ones and repeats do not count', async (t) => {
  const { own, on } = await subscriptions({ implicit: ['i'], max: 2 });
  t.strictSame(
    ['a', 'b', 'c', 'a', 'i'].map((channel) => own.add(channel, []).outcome),
    ['subscribed', 'subscribed', 'too-many-channels', 'subscribed', 'too-many-channels'],
  );
  t.strictSame(on('a', 'b', 'c', 'i'), ['a', 'b', 'i']);
  own.remove('b');
  t.equal(own.add('c', []).outcome, 'subscribed');
});

t.test('five filters are allowed, six are not; the last subscription’s filters hold', async (t) => {
  const { own, on } = await subscriptions();
  const five = ['skip-self', 'skip-users', 'require-sub', 'x', 'y'];
  t.equal(own.add('a', five).outcome, 'subscribed');
  t.strictSame(own.find('a')?.filters, five);
  t.equal(own.add('a', [...five, 'z']).outcome, 'too-many-filters');
  t.strictSame(own.find('a')?.filters, five);
  own.add('a', []);
  t.strictSame(own.find('a')?.filters, []);
  t.strictSame(on('a'), ['a']);
});

t.test('an implicit channel that the origin adds and removes stays, without the origin’s filters', async (t) => {
  const { own, on } = await subscriptions({ implicit: ['i'] });
  own.remove('i');
  own.add('i', ['skip-self']);
  t.strictSame(own.find('i')?.filters, ['skip-self']);
  own.remove('i');
  t.strictSame(on('i'), ['i']);
  t.strictSame(own.find('i')?.filters, []);
});

t.test('meta is set, replaced and removed, whatever its name', async (t) => {
  const { own } = await subscriptions();
  own.setMeta('user', 'alice');
  own.setMeta('__proto__', 'x');
  own.setMeta('user', 'bob');
  t.strictSame(
    [...own.meta],
    [
      ['user', 'bob'],
      ['__proto__', 'x'],
    ],
  );
  own.setMeta('user', undefined);
  own.setMeta('unknown', undefined);
  t.strictSame([...own.meta.keys()], ['__proto__']);
});

t.test('clearing leaves every channel', async (t) => {
  const { own, registry } = await subscriptions({ implicit: ['i'] });
  own.add('a', []);
  own.clear();
  t.equal(registry.size, 0);
});

t.test('meta has a limit, which counts names, values and entries', async (t) => {
  const { own } = await subscriptions();
  t.equal(own.setMeta('big', 'é'.repeat(SESSION_META_MAX / 2)), false);
  t.equal(own.meta.size, 0, 'nothing is changed by what is refused');
  t.equal(own.setMeta('big', 'x'.repeat(SESSION_META_MAX - 1_000)), true);
  t.equal(own.setMeta('big', 'x'.repeat(SESSION_META_MAX - 999)), true, 'a value in the place of another');
  t.equal(own.setMeta('more', 'x'.repeat(1_000)), false);
  own.setMeta('big', undefined);
  let taken = 0;
  while (own.setMeta(`${taken}`, '')) taken++;
  t.ok(taken > 1_000 && taken < SESSION_META_MAX / 32, `${taken}`);
  own.setMeta('0', undefined);
  t.equal(own.setMeta('1', 'x'), true);
});

t.test('a filter that looks at the meta still sees it as it was', async (t) => {
  const { own } = await subscriptions();
  const item = { channel: 'a', meta: {} } as unknown as Item;
  own.setMeta('user', 'alice');
  const context = own.filterContext(item);
  own.setMeta('user', 'bob');
  own.setMeta('x', 'y');
  t.strictSame([...context.subMeta], [['user', 'alice']]);
  t.strictSame([...own.filterContext(item).subMeta].flat(), ['user', 'bob', 'x', 'y']);
});

t.test('the work of setting meta grows no faster than what is set', async (t) => {
  const { own } = await subscriptions();
  const before = own.meta;
  own.setMeta('0', '');
  const map = own.meta;
  t.not(map, before);
  for (let i = 0; i < 1_000; i++) own.setMeta(`${i}`, '');
  t.equal(own.meta, map, 'no copy is made that nobody asked for');
});

/** An order, what the origin was asked, and what was said, in one list. */
function orderFixture() {
  const log: string[] = [];
  const clock = new ManualClock();
  const origin = {
    setOwner() {},
    send: () => true,
    close() {},
    abort() {},
    pause: () => void log.push('pause'),
    resume: () => void log.push('resume'),
  } satisfies OriginSocket;
  const order = new OriginOrder(origin, { clock, faults: uncontained, log: silentLog }, { id: 's1', end() {} });
  const say = (text: string, then = () => {}) => {
    const act = () => {
      log.push(text);
      then();
    };
    if (!order.keepsBack(act)) act();
  };
  return { log, clock, order, say };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('what is said while a subscription is not live comes after it, in order', async (t) => {
  const { log, order, say } = orderFixture();
  const live = new Turn();
  say('1');
  order.waitFor(live.promise);
  say('2');
  say('3');
  t.strictSame(log, ['1', 'pause']);
  live.resolve();
  await turn();
  say('4');
  t.strictSame(log, ['1', 'pause', '2', '3', 'resume', '4']);
});

t.test('what was kept back may itself have to be waited for', async (t) => {
  const { log, order, say } = orderFixture();
  const [first, second] = [new Turn(), new Turn()];
  order.waitFor(first.promise);
  say('1', () => order.waitFor(second.promise));
  say('2');
  first.resolve();
  await turn();
  t.strictSame(log, ['pause', '1', 'pause'], 'the rest waits on');
  second.resolve();
  await turn();
  t.strictSame(log, ['pause', '1', 'pause', '2', 'resume']);
});

t.test('a pattern counts as one channel, is one beside a channel of the same name, and can be left', async (t) => {
  const { own, registry } = await subscriptions({ prefix: 'p-', max: 2 });
  const events = { limited() {} };
  const receivers = () => registry.patterns.receivers('p-a-1', 'p-a-', new Set()).size;
  t.match(own.addPattern('a-*', [], events), { outcome: 'subscribed', channel: 'p-a-*', isNew: true });
  t.match(own.addPattern('a-*', ['skip-self'], events), { outcome: 'subscribed', isNew: false });
  t.match(own.add('a-*', []), { outcome: 'subscribed', isNew: true });
  t.match(own.addPattern('b-*', [], events), { outcome: 'too-many-channels' });
  t.match(own.add('b', []), { outcome: 'too-many-channels' });
  t.match(own.addPattern('a-*', new Array(6).fill('skip-self'), events), { outcome: 'too-many-filters' });
  t.type(own.addPattern('a*b', [], events), 'string');
  t.strictSame([own.names, receivers()], [['p-a-*', 'p-a-*'], 1]);
  own.removePattern('never-*', events);
  own.removePattern('a-*', events);
  t.strictSame([own.names, receivers(), registry.patterns.size], [['p-a-*'], 0, 0]);
  own.addPattern('b-*', [], events);
  own.clear();
  t.equal(registry.patterns.size, 0);
});

t.test('a subscription that takes too long is not waited for', async (t) => {
  const { log, clock, order, say } = orderFixture();
  order.waitFor(new Promise(() => {}));
  say('1');
  clock.advance(LIVE_WAIT_MS);
  t.strictSame(log, ['pause', '1', 'resume']);
});

t.test('much may be kept back, and each of it be the next to wait', async (t) => {
  const { log, order, say } = orderFixture();
  const first = new Turn();
  const all = 200_000;
  order.waitFor(first.promise);
  let again: Turn | undefined;
  for (let i = 0; i < all; i++) {
    say(`${i}`, () => {
      if (i >= 3) return;
      again = new Turn();
      order.waitFor(again.promise);
    });
  }
  first.resolve();
  for (let i = 0; i < 3; i++) {
    await turn();
    again?.resolve();
  }
  await turn();
  t.equal(log.filter((text) => text !== 'pause').length, all + 1);
  t.strictSame(log.slice(-2), [`${all - 1}`, 'resume']);
});

t.test(
  'who a session is to others follows its meta, on all its channels, where its route has that published',
  async (t) => {
    const { own, members } = await subscriptions({ implicit: ['a'], presence: 'events' });
    own.setMeta('user', 'ann');
    t.strictSame(members.splice(0), ['+a ann undefined']);
    own.add('b', []);
    own.setMeta('colour', 'red');
    t.strictSame(members.splice(0), ['+b ann undefined']);
    own.setMeta('user', 'bob');
    t.strictSame(members.splice(0), ['-a ann', '+a bob undefined', '-b ann', '+b bob undefined']);
    own.remove('b');
    own.setMeta('user', undefined);
    own.clear();
    t.strictSame(members, ['-b bob', '-a bob']);

    const others = await subscriptions({ implicit: ['a'] });
    others.own.setMeta('user', 'ann');
    others.own.add('b', []);
    t.strictSame(others.members, []);
  },
);
