/** Prefixes of names. */
import fc from 'fast-check';
import t from 'tap';
import { PrefixSet } from '../../dist/backplane/prefix-set.js';

t.test('the prefixes of a name, the shortest first; the empty one is one of every name', async (t) => {
  const set = new PrefixSet(['news/', 'n', 'news/uk', 'sport', '']);
  t.strictSame(set.of('news/uk/1'), ['', 'n', 'news/', 'news/uk']);
  t.strictSame(set.of(''), ['']);
  set.delete('');
  set.delete('n');
  set.delete('never');
  t.strictSame(set.of('news'), []);
  t.strictSame(set.of('news/'), ['news/']);
  set.clear();
  t.strictSame([set.size, set.of('news/')], [0, []]);
});

t.test('property: as a look at each of them', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 });
  const change = fc.tuple(fc.boolean(), word);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.array(word, { maxLength: 10 }), (changes, names) => {
      const set = new PrefixSet();
      const naive = new Set<string>();
      for (const [adds, prefix] of changes) {
        if (adds) set.add(prefix);
        else set.delete(prefix);
        if (adds) naive.add(prefix);
        else naive.delete(prefix);
      }
      return names.every((name) => {
        const expected = [...naive].filter((prefix) => name.startsWith(prefix)).sort((a, b) => a.length - b.length);
        return set.of(name).join() === expected.join() && set.size === naive.size;
      });
    }),
  );
});
