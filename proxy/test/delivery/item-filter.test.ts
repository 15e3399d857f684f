/** The filters of one connection: what they make of items, and in which order. */
import { type Item, parseItem } from '@holdfast/grip';
import t from 'tap';
import { type Subscription, SubscriptionList } from '../../dist/channels/subscription-list.js';
import { ItemFilter, passesFreely } from '../../dist/delivery/item-filter.js';
import type { HttpFilterAnswer, HttpFilterQuestion, HttpFilters } from '../../dist/links/http-filter.js';
import type { LinkScope } from '../../dist/links/link-scope.js';

/** A question in the hands of the test. */
interface Question extends HttpFilterQuestion {
  answer(answer: string | HttpFilterAnswer): void;
  fail(text: string): void;
}

class Filtering {
  readonly questions: Question[] = [];
  readonly list = new SubscriptionList();
  readonly filter: ItemFilter;
  /** What came of items, in the order of its coming. */
  readonly outcomes: string[] = [];

  constructor(filters: readonly string[], meta: Readonly<Record<string, string>> = {}) {
    this.list.set('c', { name: 'c', prevId: '1', filters });
    this.list.meta = new Map(Object.entries(meta));
    const http = {
      ask: (question: HttpFilterQuestion) =>
        new Promise((resolve, reject) => {
          this.questions.push({
            ...question,
            answer: (answer) =>
              resolve(typeof answer === 'string' ? { drop: false, content: Buffer.from(answer) } : answer),
            fail: (text) => reject(new Error(text)),
          });
        }),
    };
    this.filter = new ItemFilter(this.list, {} as LinkScope, http as unknown as HttpFilters, () => {});
  }

  get subscription(): Subscription {
    return this.list.find('c') as Subscription;
  }

  run(content: string, contentFilters?: readonly string[], about: Item = item()): void {
    this.filter.run(this.subscription, about, Buffer.from(content), contentFilters, (filtered) => {
      const { result } = filtered;
      if (result === 'send') this.outcomes.push(`send ${filtered.content}`);
      else this.outcomes.push(result === 'drop' ? 'drop' : `error ${filtered.error}`);
    });
  }
}

const item = (meta: Readonly<Record<string, string>> = {}) =>
  parseItem({ channel: 'c', meta, formats: { 'http-stream': { content: 'x' } } });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

t.test('a subscription without filters lets every item pass that names none', async (t) => {
  const free = new Filtering([]).subscription.plan;
  const filtered = new Filtering(['skip-self']).subscription.plan;
  t.ok(passesFreely(free, undefined));
  t.ok(passesFreely(free, []));
  t.notOk(passesFreely(free, ['var-subst']));
  t.notOk(passesFreely(filtered, undefined));
  t.ok(passesFreely(new Filtering(['unknown']).subscription.plan, undefined));
});

t.test('filters that ask nobody are done within the call', async (t) => {
  const filtering = new Filtering(['skip-self', 'var-subst'], { user: 'ann' });
  filtering.run('hello %(user)s');
  filtering.run('x', undefined, item({ sender: 'ann' }));
  filtering.run('%(nobody)s');
  filtering.run('x', ['build-id']);
  t.match(filtering.outcomes, [
    'send hello ann',
    'drop',
    /^error filter error: No such variable 'nobody'/,
    'error content filter mismatch: subscription=var-subst message=build-id',
  ]);
  t.notOk(filtering.filter.isBusy);
});

t.test('behind an item that a server is asked about all others wait, in order', async (t) => {
  const filtering = new Filtering(['http-modify']);
  filtering.run('a');
  filtering.run('b');
  filtering.run('c', ['mismatch']);
  filtering.run('d');
  t.ok(filtering.filter.isBusy);
  t.equal(filtering.questions.length, 3, 'they are asked about at once, all the same');
  filtering.questions[2]?.answer('D');
  filtering.questions[1]?.answer({ drop: true });
  await turn();
  t.strictSame(filtering.outcomes, []);
  filtering.questions[0]?.answer('A');
  await turn();
  t.match(filtering.outcomes, ['send A', 'drop', /^error content filter mismatch/, 'send D']);
  t.notOk(filtering.filter.isBusy);
});

t.test('what a server answers goes on through the filters behind, with the ids of its own item', async (t) => {
  const filtering = new Filtering(['http-modify', 'build-id'], { id_format: 'id-%(c)s' });
  filtering.run('a %I');
  filtering.subscription.prevId = '2';
  filtering.run('b %I');
  filtering.questions[0]?.answer('A %I');
  filtering.questions[1]?.answer('B %I');
  await turn();
  t.strictSame(filtering.outcomes, ['send A id-1', 'send B id-2']);
});

t.test('filters before a question are run before it, and may spare it', async (t) => {
  const filtering = new Filtering(['skip-self', 'var-subst', 'http-modify'], { user: 'ann' });
  filtering.run('to %(user)s');
  filtering.run('x', undefined, item({ sender: 'ann' }));
  t.equal(filtering.questions.length, 1);
  t.equal(filtering.questions[0]?.content.toString(), 'to ann');
  t.match(filtering.questions[0]?.lastIds, new Map([['c', '1']]));
});

t.test('two questions about one item follow each other', async (t) => {
  const filtering = new Filtering(['http-check', 'http-modify']);
  filtering.run('a');
  t.equal(filtering.questions.length, 1);
  filtering.questions[0]?.answer('a');
  await turn();
  t.match(filtering.questions[1], { filter: 'http-modify' });
  filtering.questions[1]?.answer('A');
  await turn();
  t.strictSame(filtering.outcomes, ['send A']);
});

t.test('a question without an answer is an error of the filter; the next items go on', async (t) => {
  const filtering = new Filtering(['http-check']);
  filtering.run('a');
  filtering.run('b');
  filtering.questions[0]?.fail('network request failed: timeout');
  filtering.questions[1]?.answer('b');
  await turn();
  t.strictSame(filtering.outcomes, ['error filter error: network request failed: timeout', 'send b']);
});

t.test('whenIdle: at once if nothing is asked, else after the last outcome', async (t) => {
  const filtering = new Filtering(['http-check']);
  filtering.filter.whenIdle(() => filtering.outcomes.push('idle'));
  t.strictSame(filtering.outcomes, ['idle']);
  filtering.run('a');
  filtering.filter.whenIdle(() => filtering.outcomes.push('idle again'));
  filtering.run('b');
  filtering.questions[0]?.answer('a');
  await turn();
  t.strictSame(filtering.outcomes, ['idle', 'send a']);
  filtering.questions[1]?.answer('b');
  await turn();
  t.strictSame(filtering.outcomes, ['idle', 'send a', 'send b', 'idle again']);
});

t.test('a thousand items may wait; one more fails at once, and nobody is asked about it', async (t) => {
  const filtering = new Filtering(['http-check']);
  for (let i = 0; i < 1_001; i++) filtering.run(`${i}`);
  t.equal(filtering.questions.length, 1_000);
  t.strictSame(filtering.outcomes, ['error filter error: more than 1000 items wait for a server']);
  for (const question of filtering.questions) question.answer('ok');
  await turn();
  t.equal(filtering.outcomes.length, 1_001);
  filtering.run('next');
  t.equal(filtering.questions.length, 1_001, 'there is room again');
});

t.test('items that wait for a server take only so many bytes; then one is not delivered', async (t) => {
  const filtering = new Filtering(['http-check'], { url: '/check' });
  const large = item({ a: 'x'.repeat(500_000) });
  for (let i = 0; i < 10; i++) filtering.run('', undefined, large);
  t.strictSame(filtering.outcomes.slice(0, 1), ['error filter error: more than 4194304 bytes wait for a server']);
  const waiting = filtering.questions.length;
  t.ok(waiting >= 4 && waiting < 6);
  for (const question of filtering.questions) question.answer('');
  await turn();
  await turn();
  filtering.run('', undefined, large);
  t.equal(filtering.questions.length, waiting + 1, 'what has been answered does not count any more');
});

t.test('content that a connection’s meta would make too large is not delivered', async (t) => {
  const filtering = new Filtering(['var-subst'], { a: 'x'.repeat(50_000) });
  filtering.run('%(a)s'.repeat(8_000));
  t.strictSame(filtering.outcomes, ['error filter error: Content grows by more than 1048576 bytes']);
  filtering.run('%(a)s'.repeat(20));
  t.equal(filtering.outcomes[1]?.length, 'send '.length + 20 * 50_000);
});
