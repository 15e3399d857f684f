import t from 'tap';
import { MAX_TOKEN_BYTES, MAX_TOKENS, TokenCache } from '../../dist/auth/token-cache.js';

const value = (bytes: number, until = 1_000) => ({ bytes, until });

t.test('a value until its time', async (t) => {
  const cache = new TokenCache<ReturnType<typeof value>>();
  cache.set('a', value(1));
  t.ok(cache.get('a', 999));
  t.equal(cache.get('a', 1_000), undefined);
  t.equal(cache.size, 0, 'it is forgotten then');
});

t.test('as many as the limit, the first goes', async (t) => {
  const cache = new TokenCache<ReturnType<typeof value>>();
  for (let i = 0; i <= MAX_TOKENS; i++) cache.set(String(i), value(1));
  t.equal(cache.size, MAX_TOKENS);
  t.equal(cache.get('0', 0), undefined);
  t.ok(cache.get('1', 0) && cache.get(String(MAX_TOKENS), 0));
});

t.test('and as many bytes', async (t) => {
  const cache = new TokenCache<ReturnType<typeof value>>();
  const large = MAX_TOKEN_BYTES / 4;
  for (let i = 0; i < 6; i++) cache.set(String(i), value(large));
  t.equal(cache.size, 4);
  cache.set('5', value(large));
  t.equal(cache.size, 4, 'the same one again counts once');
  cache.delete('5');
  cache.set('6', value(large));
  t.equal(cache.size, 4);
  cache.clear();
  for (let i = 0; i < 4; i++) cache.set(String(i), value(large));
  t.equal(cache.size, 4);
});
