/** Query strings: what is read, and what each bad one is refused for. */
import t from 'tap';
import { Query, readQuery } from '../../dist/http/query.js';

t.test('parameters are decoded as forms encode them', async (t) => {
  const query = readQuery('user=a%20b+c&route=&except=1&&except=%2C', ['user', 'route', 'limit'], ['except']);
  if (!(query instanceof Query)) throw new Error('it was refused');
  t.equal(query.one('user'), 'a b c');
  t.equal(query.one('route'), '');
  t.equal(query.one('limit'), undefined);
  t.strictSame(query.all('except'), ['1', ',']);
  t.strictSame(query.all('limit'), []);
});

t.test('a bad query is 400, and its text says what is wrong with it', async (t) => {
  for (const [text, message] of [
    ['uesr=1', "Bad request: unknown parameter 'uesr': expected user, except."],
    ['user=1&user=2', "Bad request: 'user' may come only once."],
    ['user=%zz', "Bad request: 'user=%zz' in the query is not percent-encoded UTF-8."],
    ['%ff=1', "Bad request: '%ff=1' in the query is not percent-encoded UTF-8."],
    ['a%0ab=1', "Bad request: unknown parameter 'a?b': expected user, except."],
    ['__proto__=1', "Bad request: unknown parameter '__proto__': expected user, except."],
  ] as const) {
    const answer = readQuery(text, ['user'], ['except']);
    t.match(answer, { status: 400, code: 'ERR_CONTROL_ARGUMENT', message });
  }
});
