import t from 'tap';
import { filterTargets, messageContentFilters } from '../../dist/filters/filter.js';
import { filterNames, isKnownFilter, MAX_FILTERS } from '../../dist/index.js';

t.test('the filters of Grip-Feature are known, in its order', async (t) => {
  t.same(filterNames, ['skip-self', 'skip-users', 'require-sub', 'build-id', 'var-subst', 'http-check', 'http-modify']);
  for (const name of filterNames) t.ok(isKnownFilter(name));
});

t.test('no other name is known, nor one in another case', async (t) => {
  for (const name of ['', 'Skip-Self', 'constructor', '__proto__', 'x']) {
    t.notOk(isKnownFilter(name), name);
    t.same(filterTargets(name), []);
  }
});

t.test('each filter has its targets', async (t) => {
  t.same(filterTargets('skip-self'), ['delivery']);
  t.same(filterTargets('build-id'), ['message-content', 'response-content']);
  t.same(filterTargets('var-subst'), ['message-content']);
  t.same(filterTargets('http-modify'), ['delivery', 'message-content']);
});

t.test('the message content filters of a subscription keep their order', async (t) => {
  t.same(messageContentFilters(['var-subst', 'skip-self', 'x', 'build-id', 'http-modify', 'http-check']), [
    'var-subst',
    'build-id',
    'http-modify',
  ]);
  t.equal(MAX_FILTERS, 5);
});
