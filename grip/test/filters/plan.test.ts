import t from 'tap';
import { contentFilterMismatch, type FilterContext, noFilters, planFilters, runFilters } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

const none = Buffer.alloc(0);

function delivered(
  filter: string,
  user: string | undefined,
  pubMeta: Record<string, string>,
  channels = ['a'],
): boolean {
  const subMeta = new Map(user === undefined ? [] : [['user', user]]);
  const isSubscribed = (channel: string) => channels.includes(channel);
  return (
    runFilters(planFilters([filter]), none, { subMeta, pubMeta, prevIds: new Map(), isSubscribed }).result === 'send'
  );
}

t.test('skip-self drops what the connection’s user sent, and nothing else', async (t) => {
  t.notOk(delivered('skip-self', 'alice', { sender: 'alice' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'bob' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'Alice' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'alice ' }));
  t.ok(delivered('skip-self', 'alice', {}));
  t.ok(delivered('skip-self', undefined, { sender: 'alice' }));
});

t.test('skip-self: an empty sender is no user, even where the user is empty too', async (t) => {
  t.ok(delivered('skip-self', '', { sender: '' }));
  t.ok(delivered('skip-self', undefined, { sender: '' }));
});

t.test('skip-users drops what is not for a user in the list, with spaces around names', async (t) => {
  for (const list of ['carol', 'alice,carol', ' carol ,bob', 'a,,carol', 'a,\tcarol\n']) {
    t.notOk(delivered('skip-users', 'carol', { skip_users: list }), list);
  }
  for (const list of ['', ',', 'alice,bob', 'carola', 'my carol', 'Carol', 'car,ol']) {
    t.ok(delivered('skip-users', 'carol', { skip_users: list }), list);
  }
});

t.test('skip-users leaves connections without a user alone', async (t) => {
  t.ok(delivered('skip-users', undefined, { skip_users: 'carol' }));
  t.ok(delivered('skip-users', '', { skip_users: 'carol,' }));
  t.ok(delivered('skip-users', 'carol', {}));
});

t.test('require-sub drops what only subscribers of another channel may see', async (t) => {
  t.notOk(delivered('require-sub', undefined, { require_sub: 'b' }, ['a']));
  t.ok(delivered('require-sub', undefined, { require_sub: 'b' }, ['a', 'b']));
  t.ok(delivered('require-sub', undefined, { require_sub: '' }, ['a']));
  t.ok(delivered('require-sub', undefined, {}, ['a']));
});

t.test('skip-users: a long list is taken apart once, however many connections look at it', async (t) => {
  const looks = (size: number) => {
    const pubMeta = { skip_users: Array.from({ length: 20_000 }, (_, i) => `u${i}`).join(',') };
    const [plan, prevIds] = [planFilters(['skip-users']), new Map()];
    const context = { subMeta: new Map([['user', 'u1']]), pubMeta, prevIds, isSubscribed: () => false };
    return () => {
      for (let i = 0; i < size; i++) t.equal(runFilters(plan, none, context).result, 'drop');
    };
  };
  const time = (size: number) => {
    const work = looks(size);
    const since = performance.now();
    work();
    return performance.now() - since;
  };
  const least = (size: number) => Math.min(...Array.from({ length: 5 }, () => time(size)));
  t.ok(least(50) < 10 * least(1), 'fifty looks cost little more than one');
});

const context: FilterContext = {
  subMeta: new Map([
    ['user', 'alice'],
    ['id_format', '%%(user)s'],
  ]),
  pubMeta: { sender: 'alice' },
  prevIds: new Map(),
  isSubscribed: () => false,
};

const run = (filters: string[], content = 'x', from = 0) =>
  runFilters(planFilters(filters), Buffer.from(content), context, from);

t.test('a subscription without a known filter has the plan without steps', async (t) => {
  t.equal(planFilters([]), noFilters);
  t.equal(planFilters(['nonsense', 'Skip-Self']), noFilters);
  t.same(noFilters, { steps: [], contentFilters: [] });
});

t.test('the known filters keep their order, repeats included', async (t) => {
  const plan = planFilters(['http-check', 'x', 'var-subst', 'skip-users', 'var-subst', 'build-id']);
  t.same(
    plan.steps.map(({ kind, name }) => [kind, name]),
    [
      ['http', 'http-check'],
      ['content', 'var-subst'],
      ['delivery', 'skip-users'],
      ['content', 'var-subst'],
      ['content', 'build-id'],
    ],
  );
});

t.test('nothing to run gives the content back', async (t) => {
  const content = Buffer.from('%');
  t.same(runFilters(noFilters, content, context), { result: 'send', content });
});

t.test('the first filter that drops ends the run: what follows is not even tried', async (t) => {
  t.same(run(['skip-users', 'skip-self', 'var-subst'], '%'), { result: 'drop', filter: 'skip-self' });
  t.same(run(['skip-self', 'http-check']), { result: 'drop', filter: 'skip-self' });
});

t.test('an error before a filter that would drop is an error', async (t) => {
  t.equal(
    messageOf('ERR_GRIP_FILTER', () => run(['var-subst', 'skip-self'], '%(x)s')),
    "No such variable 'x' at position 4",
  );
});

t.test('each content filter is given what the one before it made', async (t) => {
  t.same(run(['build-id', 'var-subst'], '%I'), { result: 'send', content: Buffer.from('alice') });
  t.equal(
    messageOf('ERR_GRIP_FILTER', () => run(['var-subst', 'build-id'], '%I')),
    "Unknown directive 'I' at position 1",
  );
});

t.test('a filter that asks a server stops the run, which is then taken up behind it', async (t) => {
  const filters = ['var-subst', 'http-modify', 'var-subst', 'http-check', 'skip-self'];
  const first = run(filters, '%(user)s%%(user)s');
  t.same(first, { result: 'http', filter: 'http-modify', content: Buffer.from('alice%(user)s'), next: 2 });
  const second = run(filters, 'got %(user)s', 2);
  t.same(second, { result: 'http', filter: 'http-check', content: Buffer.from('got alice'), next: 4 });
  t.same(run(filters, 'got alice', 4), { result: 'drop', filter: 'skip-self' });
  t.same(run(['http-check'], 'x', 1), { result: 'send', content: Buffer.from('x') });
});

t.test('content-filters must be those of the subscription, in order', async (t) => {
  const plan = planFilters(['skip-self', 'build-id', 'http-modify', 'nonsense']);
  t.equal(contentFilterMismatch(plan, ['build-id', 'http-modify']), undefined);
  t.equal(
    contentFilterMismatch(plan, ['http-modify', 'build-id']),
    'content filter mismatch: subscription=build-id,http-modify message=http-modify,build-id',
  );
  t.equal(contentFilterMismatch(plan, []), 'content filter mismatch: subscription=build-id,http-modify message=');
  t.equal(contentFilterMismatch(noFilters, ['x']), 'content filter mismatch: subscription= message=x');
});

t.test(
  'an item that names no content-filters goes to any subscription; one that names none to those without',
  async (t) => {
    t.equal(contentFilterMismatch(planFilters(['build-id']), undefined), undefined);
    t.equal(contentFilterMismatch(noFilters, []), undefined);
    t.equal(contentFilterMismatch(planFilters(['skip-self']), []), undefined);
  },
);
