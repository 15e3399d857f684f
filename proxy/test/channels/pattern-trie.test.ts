/** Many patterns at once, against a look at each of them. */
import { matchesPattern, type Pattern, parsePattern } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { PatternTrie } from '../../dist/channels/pattern-trie.js';

function found(trie: PatternTrie<string>, name: string): string[] {
  const all: string[] = [];
  trie.visit(name, (text) => all.push(text));
  return all.sort();
}

t.test('a pattern that is taken out leaves the others, and nothing of itself', async (t) => {
  const trie = new PatternTrie<string>('/');
  const patterns = ['a/*/c', 'a/*/c*', 'a*', 'a/b*', '*'].map((text) => parsePattern(text, '/') as Pattern);
  for (const pattern of patterns) trie.set(pattern, pattern.text);
  t.strictSame(found(trie, 'a/b/c'), ['*', 'a*', 'a/*/c', 'a/*/c*', 'a/b*']);
  trie.delete(parsePattern('a/*/d', '/') as Pattern);
  for (const pattern of patterns.slice(0, 3)) trie.delete(pattern);
  t.strictSame(found(trie, 'a/b/c'), ['*', 'a/b*']);
  for (const pattern of patterns) trie.delete(pattern);
  t.ok(trie.isEmpty);
});

t.test('property: it finds what a look at each finds, once each, whatever came and went', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 7 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), word), { maxLength: 40 }),
      fc.array(word, { maxLength: 12 }),
      fc.constantFrom('/', ''),
      (changes, names, separator) => {
        const trie = new PatternTrie<string>(separator);
        const naive = new Map<string, Pattern>();
        for (const [adds, text] of changes) {
          const pattern = parsePattern(text, separator);
          if (typeof pattern === 'string') continue;
          if (adds) trie.set(pattern, text);
          else trie.delete(pattern);
          if (adds) naive.set(text, pattern);
          else naive.delete(text);
        }
        return names.every((name) => {
          const expected = [...naive].filter(([, pattern]) => matchesPattern(pattern, name, separator));
          return (
            found(trie, name).join(' ') ===
            expected
              .map(([text]) => text)
              .sort()
              .join(' ')
          );
        });
      },
    ),
    { numRuns: 2_000 },
  );
});
