import t from 'tap';
import { scopeOf } from '../../dist/links/link-scope.js';
import type { Route } from '../../dist/routes/route.js';

const trust = { secure: false, trusted: false };

t.test('the scope of a request: its host as it was asked for, its scheme as it counts', async (t) => {
  const request = { host: 'A.example:81', path: '/b?c' } as Parameters<typeof scopeOf>[0];
  t.match(scopeOf(request, {} as Route, trust), { url: 'http://A.example:81/b?c' });
  t.match(scopeOf(request, {} as Route, { ...trust, secure: true }), { url: 'https://A.example:81/b?c' });
  t.match(scopeOf({ ...request, host: '' }, {} as Route, trust), { url: 'http://localhost/b?c' });
});

t.test('a host that no URL can have does not keep links from being relative to the path', async (t) => {
  for (const host of ['1.2.3.4.5', 'a:99999', '[x]', '%zz']) {
    const request = { host, path: '//b/c?d' } as Parameters<typeof scopeOf>[0];
    t.match(scopeOf(request, {} as Route, trust), { url: 'http://localhost//b/c?d' }, host);
  }
});
