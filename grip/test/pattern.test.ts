/** Patterns of channel names, against a matcher that tries everything. */
import fc from 'fast-check';
import t from 'tap';
import { MAX_PATTERN_STARS, matchesPattern, type Pattern, parsePattern } from '../dist/index.js';

/** A pattern that must be one. */
function pattern(text: string, separator = '/'): Pattern {
  const parsed = parsePattern(text, separator);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

/** By its definition: segment by segment, and what is left for a star at the end. */
function naive(text: string, name: string, separator: string): boolean {
  const split = (value: string) => (separator === '' ? [value] : value.split(separator));
  const isOpen = text.endsWith('*');
  const wanted = split(isOpen ? text.slice(0, -1) : text);
  const given = split(name);
  const tail = isOpen ? wanted.pop() : undefined;
  const fits = wanted.every((segment, i) => given[i] !== undefined && (segment === '*' || segment === given[i]));
  if (tail === undefined) return fits && given.length === wanted.length;
  const rest = given.slice(wanted.length);
  return fits && rest.length > 0 && rest.join(separator).startsWith(tail);
}

t.test('a star at the end is for all names that begin so, whatever follows', async (t) => {
  const orders = pattern('orders-*');
  for (const name of ['orders-', 'orders-1', 'orders-1/items', 'orders-*'])
    t.ok(matchesPattern(orders, name, '/'), name);
  for (const name of ['orders', 'order-1', 'Orders-1', 'x/orders-1', ''])
    t.notOk(matchesPattern(orders, name, '/'), name);
  t.strictSame(orders, { text: 'orders-*', prefix: 'orders-', segments: [], tail: 'orders-' });
});

t.test('a star between separators is for one segment, which may be empty', async (t) => {
  const sport = pattern('news/*/sport');
  for (const name of ['news/uk/sport', 'news//sport', 'news/*/sport']) t.ok(matchesPattern(sport, name, '/'), name);
  for (const name of ['news/sport', 'news/uk/sport/1', 'news/uk/eng/sport', 'news/uk/sports', 'new/uk/sport'])
    t.notOk(matchesPattern(sport, name, '/'), name);
  t.equal(sport.prefix, 'news/');
});

t.test('both in one', async (t) => {
  const both = pattern('a/*/b*');
  for (const name of ['a/x/b', 'a/x/bc', 'a/x/b/c/d']) t.ok(matchesPattern(both, name, '/'), name);
  for (const name of ['a/x', 'a/x/c', 'a/b']) t.notOk(matchesPattern(both, name, '/'), name);
  t.ok(matchesPattern(pattern('*'), '', '/'));
  t.equal(pattern('*').prefix, '');
  t.ok(matchesPattern(pattern('*/b'), 'a/b', '/'));
});

t.test('a separator of several characters, and none', async (t) => {
  t.ok(matchesPattern(pattern('a::*::c', '::'), 'a::b::c', '::'));
  t.notOk(matchesPattern(pattern('a::*::c', '::'), 'a:b:c', '::'));
  t.ok(matchesPattern(pattern('a/*', ''), 'a/b/c', ''));
  t.match(parsePattern('a/*/c', ''), "has a '*' in another place than at its end");
});

t.test('what is no pattern is refused, with the reason', async (t) => {
  t.match(parsePattern('news', '/'), "pattern 'news' has no '*'");
  t.match(parsePattern('a*b', '/'), "has a '*' in another place than at its end, or as a whole segment between '/'");
  t.match(parsePattern('a/b**', '/'), 'in another place');
  t.match(parsePattern('a/x*/b', '/'), 'in another place');
  t.match(parsePattern(`${'é'.repeat(512)}*`, '/'), 'is longer than 1024 bytes');
  t.match(parsePattern('a\ud800*', '/'), 'is no well-formed text');
  t.type(parsePattern(`${'*/'.repeat(MAX_PATTERN_STARS - 1)}*`, '/'), 'object');
  t.match(parsePattern(`${'*/'.repeat(MAX_PATTERN_STARS)}*`, '/'), `has more than ${MAX_PATTERN_STARS} '*'`);
});

t.test('property: it matches what the definition says, and only names with its prefix', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '*'), maxLength: 9 });
  fc.assert(
    fc.property(word, word, fc.constantFrom('', '/', '::'), (text, name, separator) => {
      const parsed = parsePattern(text, separator);
      if (typeof parsed === 'string') return true;
      const matches = matchesPattern(parsed, name, separator);
      return matches === naive(text, name, separator) && (!matches || name.startsWith(parsed.prefix));
    }),
    { numRuns: 5_000 },
  );
});
