import t from 'tap';
import { type LinkScope, resolveLink, scopeOf } from '../../dist/links/link-scope.js';
import type { Route } from '../../dist/routes/route.js';

const standing = { secure: false, trusted: false };
const at = (url: string): LinkScope => ({ url, clientUrl: url, route: {} as Route, standing });

t.test('links are resolved against the URL that named them (RFC 3986 §5)', async (t) => {
  const scope = at('http://a.example/b/c?d=1');
  for (const [link, url] of [
    ['e', 'http://a.example/b/e'],
    ['/e?f=%20', 'http://a.example/e?f=%20'],
    ['?f', 'http://a.example/b/c?f'],
    ['../e', 'http://a.example/e'],
    ['//other/e', 'http://other/e'],
    ['https://other:8443/e', 'https://other:8443/e'],
  ] as const) {
    t.equal(resolveLink(link, scope), url, link);
  }
});

t.test('a WebSocket’s links are HTTP links', async (t) => {
  t.equal(resolveLink('/e', at('ws://a.example/b')), 'http://a.example/e');
  t.equal(resolveLink('/e', at('wss://a.example/b')), 'https://a.example/e');
});

t.test('what is no HTTP URL leads nowhere', async (t) => {
  for (const link of ['ftp://a/b', 'javascript:alert(1)', 'data:,x', 'file:///etc/passwd', 'http://', 'http://[']) {
    t.equal(resolveLink(link, at('http://a/')), undefined, link);
  }
});

t.test('the scope of a request: its host as it was asked for, its scheme as it counts', async (t) => {
  const request = { host: 'A.example:81', path: '/b?c' } as Parameters<typeof scopeOf>[0];
  t.match(scopeOf(request, {} as Route, standing), { url: 'http://A.example:81/b?c' });
  t.match(scopeOf(request, {} as Route, { ...standing, secure: true }), { url: 'https://A.example:81/b?c' });
  t.match(scopeOf({ ...request, host: '' }, {} as Route, standing), { url: 'http://localhost/b?c' });
});
