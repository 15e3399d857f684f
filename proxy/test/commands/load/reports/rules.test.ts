import t from 'tap';
import { failuresOf, parseRule } from '../../../../dist/commands/load/reports/rules.js';
import { reportOf } from './fixture.js';

const failing = (report: Parameters<typeof failuresOf>[0], ...rules: string[]) =>
  failuresOf(report, rules.map(parseRule)).map(({ rule, value }) => `${rule} ${value}`);

t.test('a run fails by each rule that holds', async (t) => {
  const delivery = { received: 4, lost: 2, doubled: 1, disordered: 0, early: 0, forgotten: 0 };
  const report = reportOf({ delivery, failed: { ECONNREFUSED: 2, 'status 503': 1 }, dropped: { ECONNRESET: 4 } });
  t.same(failing(report, 'lost>0', 'lost > 2', 'lost>=2', 'doubled==1', 'disordered!=0', 'received<5', 'held<=1'), [
    'lost>0 2',
    'lost>=2 2',
    'doubled==1 1',
    'received<5 4',
  ]);
  t.same(failing(report, 'failed>2', 'dropped>4', 'published<3', 'open<2'), ['failed>2 3']);
});

t.test('times are in ms or with a unit, of deliveries, openings and acceptances', async (t) => {
  const rules = ['p50>1ms', 'p50>2ms', 'p99>39', 'max>0.05s', 'max>30ms', 'opening.p99>=1ms', 'acceptance.max>1ms'];
  t.same(failing(reportOf(), ...rules), ['p50>1ms 2', 'p99>39 40', 'max>30ms 40', 'opening.p99>=1ms 1']);
  t.same(failing(reportOf(), 'p99.9>39ms', 'cpu>10%', 'cpu>30', 'lag>0.5ms'), [
    'p99.9>39ms 40',
    'cpu>10% 20',
    'lag>0.5ms 1',
  ]);
});

t.test('a run that has nothing to judge by has failed', async (t) => {
  const { items } = reportOf();
  const report = reportOf({ latency: [], items: { ...items, seen: false } });
  t.same(failing(report, 'p99>1h', 'lost>0', 'received<0'), ['p99>1h null', 'lost>0 null']);
});

t.test('rules that cannot be meant are refused, with those that can', async (t) => {
  for (const text of [
    '',
    'p99',
    'lost>',
    'lots>0',
    'p99>250kg',
    'lost>-1',
    'p100>1',
    'p0.5.5>1',
    'sum.p99>1',
    'toString>0',
  ])
    t.throws(() => parseRule(text), { code: 'ERR_LOAD_ARGUMENT', message: /^--fail: / }, text);
  t.throws(() => parseRule('lots>0'), { message: /lost, doubled, disordered.*got "lots>0"$/ });
});
