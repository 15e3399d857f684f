/** The pipeline of one connection: what it does with an item, in which order, and what it leaves out. */
import { type HttpStreamFormat, parseItem } from '@holdfast/grip';
import t from 'tap';
import { Delivery } from '../../dist/channels/delivery.js';
import { type Subscription, SubscriptionList } from '../../dist/channels/subscription-list.js';
import type { Options } from '../../dist/config/table.js';
import { ItemPipeline, type ItemReceiver, type PipelineDeps } from '../../dist/delivery/pipeline.js';
import type { HttpFilterAnswer } from '../../dist/links/http-filter.js';
import type { LinkScope } from '../../dist/links/link-scope.js';

interface Setting {
  readonly filters?: readonly string[];
  readonly policy?: Options['slowClientPolicy'];
  readonly needsAll?: boolean;
  readonly isDebug?: boolean;
}

/** Notes each step of its items. */
class RecordingPipeline extends ItemPipeline<HttpStreamFormat, { payload: Buffer }> {
  readonly steps: string[] = [];
  /** Answers the filters that ask a server, in their order. */
  readonly answers: ((answer: HttpFilterAnswer) => void)[] = [];
  /** Of items that filters look at, the content that cannot be sent. */
  refused = '';
  waiting = 0;
  isReplaying = false;
  protected readonly list = new SubscriptionList();
  protected readonly scope = {} as LinkScope;
  protected readonly kind = 'stream';
  protected readonly noun = 'thing';
  protected readonly needsAll: boolean;
  protected readonly receiver: ItemReceiver;
  protected readonly deps: PipelineDeps;

  constructor({ filters = [], policy = 'drop', needsAll = false, isDebug = false }: Setting) {
    super();
    const { steps } = this;
    this.list.set('c', { name: 'c', filters });
    this.needsAll = needsAll;
    this.receiver = {
      id: 'x',
      routeKey: 'route',
      isDebug,
      overflowed: () => steps.push('overflowed'),
      filterFailed: (error: string) => steps.push(`shown: ${error}`),
      fault: () => {},
    };
    const subscriber = {
      clientQueueSize: 10,
      slowClientPolicy: policy,
      events: {
        itemSent: (kind: string, route: string) => steps.push(`count ${kind} ${route}`),
        itemDropped: (kind: string, reason: string) => steps.push(`drop ${kind} ${reason}`),
      },
      log: { warn: (_: object, text: string) => steps.push(`log: ${text}`) },
      faults: { watch: () => {} },
    };
    const http = { ask: () => new Promise((resolve) => void this.answers.push(resolve)) };
    this.deps = { subscriber, filters: http, debug: false } as unknown as PipelineDeps;
  }

  publish(format: object): void {
    const delivery = new Delivery(parseItem({ channel: 'c', formats: { 'http-stream': format } }), 0);
    this.take(delivery, delivery.stream as HttpStreamFormat, this.list.find('c') as Subscription);
  }

  /** The steps since the last call. */
  taken(): string[] {
    return this.steps.splice(0);
  }

  protected waitingBefore(): number {
    return this.isReplaying ? 0 : this.waiting;
  }

  protected encode(delivery: Delivery, _: unknown, own: Buffer | undefined): { payload: Buffer } {
    this.steps.push('encode');
    return { payload: own ?? delivery.piece.payload };
  }

  protected write({ payload }: { payload: Buffer }, _: Delivery, own: Buffer | undefined): void {
    this.steps.push(`write ${payload}${own === undefined ? '' : ' (own)'}`);
  }

  protected act({ action }: { action: string }): void {
    this.steps.push(`act ${action}`);
  }

  protected override refusal(_: unknown, own: Buffer): string | undefined {
    return own.toString() === this.refused ? 'refused' : undefined;
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

t.test('an item without filters is encoded, written and counted within the call', async (t) => {
  const pipeline = new RecordingPipeline({});
  pipeline.publish({ content: 'a' });
  t.strictSame(pipeline.taken(), ['encode', 'write a', 'count stream route']);
  t.strictSame([pipeline.items, pipeline.dropped, pipeline.isFiltering], [1, 0, false]);
});

t.test('an action is neither encoded nor counted, whatever waits', async (t) => {
  const pipeline = new RecordingPipeline({});
  pipeline.waiting = 1_000;
  pipeline.publish({ action: 'close' });
  t.strictSame(pipeline.taken(), ['act close']);
  t.equal(pipeline.items, 0);
});

t.test('what does not fit beside what waits is dropped and counted; the first is logged', async (t) => {
  const pipeline = new RecordingPipeline({});
  pipeline.waiting = 8;
  pipeline.publish({ content: 'ab' });
  t.strictSame(pipeline.taken(), ['encode', 'write ab', 'count stream route'], 'just fits');
  for (const log of [['log: slow client: dropping items'], []]) {
    pipeline.publish({ content: 'abc' });
    t.strictSame(pipeline.taken(), ['encode', 'drop stream slow-client', ...log]);
  }
  pipeline.waiting = 0;
  pipeline.publish({ content: 'longer than the limit' });
  t.match(pipeline.taken(), [/encode/, /write longer/], 'where nothing waits any item goes');
  t.strictSame([pipeline.items, pipeline.dropped], [2, 2]);
});

for (const setting of [{ policy: 'close' }, { needsAll: true }] as const) {
  t.test(`a slow client is closed: ${JSON.stringify(setting)}`, async (t) => {
    const pipeline = new RecordingPipeline(setting);
    pipeline.waiting = 9;
    pipeline.publish({ content: 'ab' });
    t.strictSame(pipeline.taken(), [
      'encode',
      'drop stream slow-client',
      'log: slow client: closing its thing',
      'overflowed',
    ]);
  });
}

t.test('what waits for room itself is not measured against what waits', async (t) => {
  const pipeline = new RecordingPipeline({});
  pipeline.waiting = 1_000;
  pipeline.isReplaying = true;
  pipeline.publish({ content: 'ab' });
  t.strictSame(pipeline.taken(), ['encode', 'write ab', 'count stream route']);
});

t.test('what a server makes of an item is this connection’s own; items behind it keep their order', async (t) => {
  const pipeline = new RecordingPipeline({ filters: ['http-modify'] });
  pipeline.publish({ content: 'a' });
  pipeline.publish({ content: 'b' });
  pipeline.publish({ content: 'c' });
  const idle: string[] = [];
  pipeline.whenIdle(() => idle.push('idle'));
  t.ok(pipeline.isFiltering);
  pipeline.answers[2]?.({ drop: false, content: Buffer.from('c') });
  pipeline.answers[1]?.({ drop: true });
  await turn();
  t.strictSame(pipeline.taken(), [], 'the first is not answered');
  pipeline.answers[0]?.({ drop: false, content: Buffer.from('A') });
  await turn();
  t.strictSame(pipeline.taken(), [
    ...['encode', 'write A (own)', 'count stream route'],
    ...['encode', 'write c (own)', 'count stream route'],
  ]);
  t.strictSame([idle, pipeline.isFiltering], [['idle'], false]);
});

t.test('after its end nothing is written, though a server answers', async (t) => {
  const pipeline = new RecordingPipeline({ filters: ['http-check'] });
  pipeline.publish({ content: 'a' });
  pipeline.stop();
  pipeline.answers[0]?.({ drop: false, content: Buffer.from('a') });
  await turn();
  t.strictSame(pipeline.taken(), []);
});

for (const isDebug of [false, true]) {
  t.test(`an item whose filter fails is dropped, counted and logged; debug: ${isDebug}`, async (t) => {
    const pipeline = new RecordingPipeline({ filters: ['var-subst'], isDebug });
    pipeline.publish({ content: 'a', 'content-filters': [] });
    const mismatch = pipeline.taken();
    t.strictSame(mismatch.slice(0, 2), ['drop stream filter-failed', 'log: item not delivered: its filter failed']);
    t.equal(mismatch.length, isDebug ? 3 : 2, 'the client is shown why on a debug route only');
    t.equal(pipeline.items, 0);
  });
}

t.test('content of a filter that cannot be sent counts as a filter that failed', async (t) => {
  const pipeline = new RecordingPipeline({ filters: ['http-modify'], isDebug: true });
  pipeline.refused = 'bad';
  pipeline.publish({ content: 'a' });
  pipeline.answers[0]?.({ drop: false, content: Buffer.from('bad') });
  await turn();
  t.strictSame(pipeline.taken(), [
    'drop stream filter-failed',
    'log: item not delivered: its filter failed',
    'shown: refused',
  ]);
});

t.test('an item for one client fits where it would be written now', async (t) => {
  const format = { content: 'abc' };
  const fits = (pipeline: RecordingPipeline, publication: object = format, members: object = {}) => {
    const delivery = new Delivery(parseItem({ channel: 'c', formats: { 'http-stream': publication }, ...members }), 0);
    return pipeline.fits(delivery, delivery.stream);
  };
  const pipeline = new RecordingPipeline({});
  t.ok(fits(pipeline));
  t.notOk(fits(pipeline, { action: 'close' }));
  t.notOk(fits(pipeline, format, { channel: 'other' }));
  t.notOk(pipeline.fits(new Delivery(parseItem({ channel: 'c', formats: { 'ws-message': format } }), 0), undefined));
  pipeline.waiting = 7;
  t.ok(fits(pipeline), 'its client has just room for it');
  pipeline.waiting = 8;
  t.notOk(fits(pipeline));
  pipeline.stop();
  pipeline.waiting = 0;
  t.notOk(fits(pipeline), 'it is over');
  t.strictSame(pipeline.taken(), [], 'nothing is done, and nothing counted');

  const filtered = new RecordingPipeline({ filters: ['require-sub', 'var-subst'] });
  t.ok(fits(filtered));
  t.notOk(fits(filtered, format, { meta: { require_sub: 'secret' } }));
  t.notOk(fits(filtered, { content: '%(none)s' }), 'a filter would fail');
  t.notOk(fits(filtered, { content: 'a', 'content-filters': [] }), 'it is for other filters');

  const asking = new RecordingPipeline({ filters: ['http-check'] });
  t.ok(fits(asking), 'what a server would say is not known');
  asking.publish(format);
  t.notOk(fits(asking), 'others wait for a server');
  t.equal(asking.answers.length, 1);
});
