import t from 'tap';
import { readCredential } from '../../dist/auth/credentials.js';

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

t.test('each of the fields, in any case', async (t) => {
  for (const headers of [
    ['Authorization', 'Bearer s3cret'],
    ['authorization', 'bearer   s3cret '],
    ['AUTHORIZATION', basic('user:s3cret')],
    ['Authorization', basic(':s3cret')],
    ['Authorization', basic('s3cret:')],
    ['X-API-Key', 's3cret'],
    ['x-api-key', ' s3cret '],
    ['Fastly-Key', 's3cret'],
    ['Host', 'a', 'Fastly-Key', 's3cret', 'X-API-Key', 's3cret'],
    ['Authorization', 'Bearer s3cret', 'X-API-Key', 's3cret', 'Authorization', basic('u:s3cret')],
  ])
    t.same(readCredential(headers), { text: 's3cret' }, headers.join(' '));
  t.same(readCredential(['Authorization', basic('u:a:b')]), { text: 'a:b' });
});

t.test('none', async (t) => {
  for (const headers of [[], ['Authorization', ''], ['X-API-Key', ' '], ['X-Api-Keys', 'a'], ['Proxy-Key', 'a']])
    t.equal(readCredential(headers), 'none', headers.join(' '));
});

t.test('two different ones, repetitions of a field among them', async (t) => {
  for (const headers of [
    ['Authorization', 'Bearer a', 'X-API-Key', 'b'],
    ['Fastly-Key', 'a', 'X-API-Key', 'b'],
    ['Authorization', 'Bearer a', 'Authorization', 'Bearer b'],
    ['X-API-Key', 'a', 'X-API-Key', 'b'],
    ['Authorization', 'Digest a', 'X-API-Key', 'b'],
    ['Authorization', basic('a:b'), 'Authorization', 'Bearer a'],
  ])
    t.equal(readCredential(headers), 'several', headers.join(' '));
});

t.test('a scheme that is none of ours', async (t) => {
  for (const value of ['Digest a', 'Bearer', 's3cret', 'Basic', basic('s3cret'), basic(':'), 'Basic !'])
    t.equal(readCredential(['Authorization', value]), 'unknown', value);
});
