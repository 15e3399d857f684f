import t from 'tap';
import { parseRedisUrl } from '../../../../dist/index.js';

const open = { tls: false, username: undefined, password: undefined };

t.test('redis url: one server', async (t) => {
  t.strictSame(parseRedisUrl('redis://h'), { mode: 'standalone', ...open, server: { host: 'h', port: 6379 }, db: 0 });
  t.strictSame(parseRedisUrl('rediss://u:p%40%2Fx@[::1]:7000/3'), {
    mode: 'standalone',
    tls: true,
    username: 'u',
    password: 'p@/x',
    server: { host: '::1', port: 7000 },
    db: 3,
  });
  t.match(parseRedisUrl('redis://:secret@h/'), { username: undefined, password: 'secret', db: 0 });
});

t.test('redis url: sentinels', async (t) => {
  t.strictSame(parseRedisUrl('redis+sentinel://a,b:7/main'), {
    mode: 'sentinel',
    ...open,
    sentinels: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 7 },
    ],
    master: 'main',
  });
});

t.test('redis url: a cluster', async (t) => {
  t.strictSame(parseRedisUrl('rediss+cluster://u:p@a:1,b'), {
    mode: 'cluster',
    tls: true,
    username: 'u',
    password: 'p',
    seeds: [
      { host: 'a', port: 1 },
      { host: 'b', port: 6379 },
    ],
  });
});

const wrong = [
  '',
  'h:6379',
  'http://h',
  'redis://',
  'redis://h:0',
  'redis://h:65536',
  'redis://h:port',
  'redis://h/name',
  'redis://h/1/2',
  'redis://h?x=1',
  'redis://a,b',
  'redis://user@h',
  'redis://u:%zz@h',
  'redis+sentinel://h',
  'redis+cluster://h/0',
  'redis+cluster://h,,h',
  'redis+other://h',
];
for (const url of wrong) {
  t.test(`redis url: ${url || 'nothing'} is refused`, async (t) => {
    t.throws(() => parseRedisUrl(url), { code: 'ERR_BACKPLANE_URL' });
  });
}

t.test('redis url: the error does not show the password', async (t) => {
  for (const url of [
    'redis://u:hidden@h/x',
    'http://u:hidden@h',
    'redis://u:hidden%zz@h',
    'redis://u:hidden@h:99999',
  ]) {
    try {
      parseRedisUrl(url);
      t.fail('accepted');
    } catch (error) {
      t.notMatch(String(error), 'hidden');
    }
  }
});
