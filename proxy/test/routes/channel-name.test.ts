/** The names of channels, and whether prefixes keep origins apart. */
import fc from 'fast-check';
import t from 'tap';
import { RoutesError } from '../../dist/errors.js';
import { channelOf } from '../../dist/routes/channel-name.js';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

const route = (line: string, separator = ''): Route =>
  toRoute(parseRouteLine(line, 1) as RouteLine, () => undefined, separator);
const warnings = (separator: string, ...lines: string[]) =>
  new RouteTable(lines.map((line) => route(line, separator))).warnings;

t.test('a channel is behind its prefix, and the separator if there is one', async (t) => {
  t.equal(channelOf(route('*,prefix=t a:1'), '1-x'), 't1-x');
  t.equal(channelOf(route('*,prefix=t a:1', '|'), '1-x'), 't|1-x');
  t.equal(channelOf(route('*,prefix=t a:1', '::'), 'a::b'), 't::a::b', 'a channel may contain it');
  t.equal(channelOf(route('* a:1', '|'), 'x'), 'x');
  t.equal(channelOf(route('* a:1', '|'), 't|x'), undefined, 'of a route without a prefix it may not');
  t.equal(channelOf(route('* a:1'), 't|x'), 't|x');
});

t.test('a prefix with the separator is a bad line', async (t) => {
  for (const [line, separator] of [
    ['*,prefix=a|b a:1', '|'],
    ['*,prefix=t: a:1', ':'],
    ['*,prefix=t: a:1', '::'],
  ] as const) {
    t.throws(() => route(line, separator), RoutesError);
    t.throws(() => route(line, separator), { message: /prefix must not contain the prefix_separator/ });
  }
});

t.test('property: with a separator no two routes name the same channel unless they have the same prefix', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '|', ':'), maxLength: 6 });
  const prefix = text.filter((one) => !one.includes('::') && !one.endsWith(':'));
  fc.assert(
    fc.property(prefix, text, prefix, text, (p, a, q, b) => {
      const full = (one: string, name: string) => channelOf(route(`*,"prefix=${one}" a:1`, '::'), name);
      const [first, second] = [full(p, a), full(q, b)];
      return first === undefined || first !== second || p === q;
    }),
  );
});

t.test('prefixes that are the beginning of others are warned of, in one line', async (t) => {
  t.match(warnings('', 'a,prefix=t a:1', 'b,prefix=t1 a:1'), [
    /^prefix t is the beginning of prefix t1: .*prefix_separator/,
  ]);
  t.match(warnings('', 'a,prefix=a- a:1', 'b,prefix=a-b- a:1', 'c,prefix=x a:1', 'd,prefix=xy a:1'), [
    /^prefix a- is the beginning of prefix a-b- \(and 1 more like it\): /,
  ]);
  t.strictSame(warnings('|', 'a,prefix=t a:1', 'b,prefix=t1 a:1'), []);
  t.strictSame(warnings('', 'a,prefix=t- a:1', 'b,prefix=t1- a:1', 'c,prefix=t- a:1'), []);
});

t.test(
  'routes without a prefix beside routes with one are warned of, where their origins can name channels',
  async (t) => {
    t.match(warnings('', 'a,prefix=t- a:1', '* b:1', 'x b:1'), [/^\*,\*,\*,\* \(and 1 more\) has no prefix, /]);
    t.strictSame(warnings('|', 'a,prefix=t a:1', '* b:1'), []);
    t.strictSame(warnings('', 'a,prefix=t- a:1', '*,no_grip b:1', 'y test'), []);
    t.strictSame(warnings('', '* b:1', 'x b:1'), []);
  },
);
