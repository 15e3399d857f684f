import t from 'tap';
import { contentFilterMismatch, type FilterContext, noFilters, planFilters, runFilters } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

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
