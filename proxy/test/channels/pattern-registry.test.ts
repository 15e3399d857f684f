/** Who is on which pattern, and who gets what comes by a prefix. */
import t from 'tap';
import { PatternRegistry } from '../../dist/channels/pattern-registry.js';
import { type ChannelPattern, patternOf } from '../../dist/routes/channel-pattern.js';
import { RecordingSubscriber } from './recording-subscriber.js';

const naming = {
  prefix: '',
  reserved: '',
  channelNameMax: Number.POSITIVE_INFINITY,
  patternSeparator: '/',
  patternAll: true,
};

function pattern(text: string, reserved = ''): ChannelPattern {
  const made = patternOf({ ...naming, reserved }, text, { limited() {} });
  if (typeof made === 'string') throw new Error(made);
  return made;
}

function fixture(live: (prefix: string) => Promise<void> | undefined = () => undefined) {
  const asked: string[] = [];
  const registry = new PatternRegistry(
    {
      subscribePrefix: (prefix) => {
        asked.push(`+${prefix}`);
        return live(prefix);
      },
      unsubscribePrefix: (prefix) => void asked.push(`-${prefix}`),
    },
    '/',
  );
  return { registry, asked };
}

const NOBODY = new Set<RecordingSubscriber>();

t.test('a prefix is asked for with its first pattern, and given up with its last', async (t) => {
  const { registry, asked } = fixture();
  const [a, b] = [new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(a, [pattern('x/*'), pattern('x/*/y')]);
  registry.add(b, [pattern('x/*')]);
  registry.add(a, [pattern('z*')]);
  t.strictSame([asked, registry.size], [['+x/', '+z'], 3]);
  registry.remove(a, [pattern('x/*'), pattern('x/*/y'), pattern('never*')]);
  t.strictSame(asked, ['+x/', '+z']);
  registry.remove(b, [pattern('x/*')]);
  registry.remove(b, [pattern('x/*')]);
  t.strictSame([asked, registry.size], [['+x/', '+z', '-x/'], 1]);
});

t.test('an item goes to those on a pattern that matches and has the prefix by which it came', async (t) => {
  const { registry } = fixture();
  const [all, sport, other] = [new RecordingSubscriber(), new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(all, [pattern('news/*')]);
  registry.add(sport, [pattern('news/*/sport')]);
  registry.add(other, [pattern('weather*')]);
  t.strictSame([...registry.receivers('news/uk/sport', 'news/', NOBODY)], [all, sport]);
  t.strictSame([...registry.receivers('news/uk/food', 'news/', NOBODY)], [all]);
  t.strictSame([...registry.receivers('news/uk/sport', 'weather', NOBODY)], []);
  t.strictSame([...registry.of('news/')], [all, sport]);
  t.strictSame([...registry.matching('news/uk/sport')], [all, sport]);
});

t.test('whoever is on several gets it once: by its channel, else by the shortest prefix', async (t) => {
  const { registry } = fixture();
  const [a, b] = [new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(a, [pattern('news/uk*'), pattern('news/*'), pattern('news/*/sport')]);
  registry.add(b, [pattern('news/uk*')]);
  t.strictSame([...registry.receivers('news/uk/sport', 'news/', NOBODY)], [a]);
  t.strictSame([...registry.receivers('news/uk/sport', 'news/uk', NOBODY)], [b]);
  t.strictSame([...registry.receivers('news/uk/sport', 'news/', new Set([a]))], []);
  t.strictSame([...registry.receivers('news/uk/sport', 'news/uk', new Set([b]))], []);
});

t.test('a prefix that is not live yet takes nothing away from one that is', async (t) => {
  let isLive = () => {};
  const pending = new Promise<void>((resolve) => {
    isLive = resolve;
  });
  const { registry } = fixture((prefix) => (prefix === 'n' ? pending : undefined));
  const a = new RecordingSubscriber();
  t.equal(registry.add(a, [pattern('news*')]), undefined);
  const live = registry.add(a, [pattern('n*')]);
  t.strictSame([...registry.receivers('news', 'news', NOBODY)], [a]);
  isLive();
  await live;
  t.strictSame([...registry.receivers('news', 'news', NOBODY)], []);
  t.strictSame([...registry.receivers('news', 'n', NOBODY)], [a]);
});

t.test('a prefix that the backplane refused is asked for again with the next subscriber', async (t) => {
  const { registry, asked } = fixture(() => Promise.reject(new Error('away')));
  await t.rejects(Promise.resolve(registry.add(new RecordingSubscriber(), [pattern('n*')])), { message: 'away' });
  await t.rejects(Promise.resolve(registry.add(new RecordingSubscriber(), [pattern('n*')])), { message: 'away' });
  t.strictSame(asked, ['+n', '+n']);
});

t.test('an origin gets nothing of the channels that it may not name', async (t) => {
  const { registry } = fixture();
  const [bare, other] = [new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(bare, [pattern('t*', '|')]);
  registry.add(other, [pattern('t*')]);
  t.strictSame([...registry.receivers('t1|secret', 't', NOBODY)], [other]);
  t.strictSame([...registry.receivers('t1', 't', NOBODY)], [bare, other]);
  t.strictSame([...registry.matching('t1|secret')], [other]);
  registry.remove(other, [pattern('t*')]);
  t.strictSame([...registry.receivers('t1', 't', NOBODY)], [bare]);
});
