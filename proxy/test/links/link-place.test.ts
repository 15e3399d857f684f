/** Where links may lead: by routing, to targets, to hosts of the route’s list, or nowhere. */
import t from 'tap';
import { type LinkPlace, placeOf, scopeAt } from '../../dist/links/link-place.js';
import type { LinkScope } from '../../dist/links/link-scope.js';
import { lead, say, scopeIn, tableOf } from './link-place-fixture.js';

t.test('within the path of the route: by routing, rewritten, whatever host the client named', async (t) => {
  const table = tableOf('*,path_beg=/app,replace_beg=/v1 10.0.0.1:80');
  for (const [link, result] of [
    ['/app/items?after=1', 'route 10.0.0.1:80 /v1/items?after=1'],
    ['items', 'route 10.0.0.1:80 /v1/items'],
    ['?page=2', 'route 10.0.0.1:80 /v1/stream?page=2'],
    ['http://SITE.example/app/x', 'route 10.0.0.1:80 /v1/x'],
    ['https://site.example/app/x', 'route 10.0.0.1:80 /v1/x'],
    ['http://site.example:80/app/x', 'route 10.0.0.1:80 /v1/x'],
    ['http://site.example./app/x', 'route 10.0.0.1:80 /v1/x'],
  ] as const) {
    t.equal(lead(table, link), result, link);
  }
  t.equal(lead(table, '/app/x', { host: '169.254.169.254' }), 'route 10.0.0.1:80 /v1/x');
  t.equal(lead(table, 'http://10.9.9.9:81/app/x', { host: '10.9.9.9:81' }), 'route 10.0.0.1:80 /v1/x');
});

t.test('a relative link elsewhere is a path as the origin sees it: to the target that answered', async (t) => {
  const table = tableOf('*,path_beg=/app,replace_beg=/v1 10.0.0.1:80', '* 10.0.0.2:80');
  for (const host of ['site.example', '127.0.0.1:8080', 'metadata.internal', '[::1]:9', '1.2.3.4.5']) {
    t.equal(lead(table, '/v1/items', { host }), 'target 10.0.0.1:80 /v1/items', host);
    t.equal(lead(table, '../items?x', { host }), 'target 10.0.0.1:80 /items?x', host);
  }
  const pair = tableOf('*,path_beg=/app 10.0.0.1:80 10.0.0.3:80');
  const scope = { ...scopeIn(pair), target: pair.routes[0]?.targets[1] };
  t.equal(say(placeOf('/x', scope, pair)), 'target 10.0.0.3:80 10.0.0.1:80 /x', 'the one that answered is asked first');
});

t.test('an absolute link to the site of the client goes by the route of its path', async (t) => {
  const table = tableOf('*,path_beg=/app 10.0.0.1:80', '*,path_beg=/other,replace_beg=/o 10.0.0.2:80');
  t.equal(lead(table, 'http://site.example/other/x'), 'route 10.0.0.2:80 /o/x');
  t.equal(lead(table, 'https://site.example/other/x'), 'route 10.0.0.2:80 /o/x');
  t.equal(lead(table, 'http://site.example/neither'), 'target 10.0.0.1:80 /neither', 'no route takes that path');
  t.equal(lead(table, 'http://site.example:81/other/x'), 'nowhere', 'another port is another site');
});

t.test('what looks relative and names a host is no path', async (t) => {
  const table = tableOf('* 10.0.0.1:80');
  for (const link of [
    '//evil.example/x',
    '\\\\evil.example\\x',
    '/\\evil.example/x',
    '/\t/evil.example/x',
    ' //evil.example/x',
    'http:\\\\evil.example',
    'http:/evil.example/x?',
    'HTTP://evil.example',
    '//user:pass@evil.example/',
    '//site.example@evil.example/',
    '//site.example.evil.example/',
  ]) {
    const led = lead(table, link, { path: '//evil.example/stream' });
    // The parser takes the host of a link with the scheme of its base for a path.
    if (/^http:\/e/.test(link)) t.equal(led, 'route 10.0.0.1:80 /evil.example/x', link);
    else t.equal(led, 'nowhere', JSON.stringify(link));
  }
});

t.test('other hosts lead nowhere, though the client has named one like them', async (t) => {
  const table = tableOf('* 10.0.0.1:80');
  for (const link of [
    'http://evil.example/x',
    'http://127.0.0.1/',
    'http://[::1]:5561/publish/',
    'http://10.0.0.1:81/',
  ]) {
    t.equal(lead(table, link), 'nowhere', link);
  }
  t.equal(lead(table, 'http://127.0.0.1:6379/', { host: '127.0.0.1:7999' }), 'nowhere');
});

t.test('what is no HTTP URL leads nowhere', async (t) => {
  const table = tableOf('* 10.0.0.1:80');
  for (const link of [
    'ftp://a/b',
    'javascript:alert(1)',
    'data:,x',
    'file:///etc/passwd',
    'http://',
    'http://[',
    '//',
  ]) {
    t.equal(lead(table, link), 'nowhere', link);
  }
});

t.test('a target is found by its address, its host and the as_host of its route; the path is as it is', async (t) => {
  const table = tableOf(
    '*,path_beg=/app,replace_beg=/v1,as_host=public.example 10.0.0.1:8080,host=api.example:81 [::2]:443,ssl test',
  );
  const others = (first: string, ...rest: string[]) => `target ${[first, ...rest].join(' ')} /v1/x`;
  const [a, b] = ['10.0.0.1:8080', '[::2]:443'];
  t.equal(lead(table, 'http://10.0.0.1:8080/v1/x'), others(a, b, 'test'));
  t.equal(lead(table, 'http://api.example:81/v1/x'), others(a, b, 'test'));
  t.equal(lead(table, 'https://[::2]/v1/x'), others(b, a, 'test'));
  t.equal(lead(table, 'https://[0:0:0::2]:443/v1/x'), others(b, a, 'test'));
  t.equal(lead(table, 'https://public.example/v1/x'), others(b, a, 'test'));
});

t.test('an origin may not know the port or the scheme by which it is reached', async (t) => {
  const table = tableOf(
    '*,path_beg=/app,replace_beg=/v1,as_host=public.example 10.0.0.1:8080,host=api.example:81 [::2]:8443,ssl test',
  );
  const [a, b] = ['10.0.0.1:8080', '[::2]:8443'];
  for (const [link, first] of [
    ['http://[::2]:8443/v1/x', b],
    ['https://10.0.0.1:8080/v1/x', a],
    ['http://api.example/v1/x', a],
    ['https://api.example:443/v1/x', a],
    ['http://api.example:8080/v1/x', a],
    ['http://public.example:80/v1/x', b],
    ['http://public.example:443/v1/x', b],
    ['http://public.example:8443/v1/x', b],
  ] as const) {
    t.equal(lead(table, link), `target ${[first, first === a ? b : a, 'test'].join(' ')} /v1/x`, link);
  }
  for (const link of ['http://10.0.0.1/v1/x', 'http://api.example:82/v1/x', 'http://site.example:8443/v1/x']) {
    t.equal(lead(table, link), 'nowhere', link);
  }
  const plain = tableOf('*,path_beg=/app,replace_beg=/v1 10.0.0.1:8080');
  t.equal(lead(plain, 'http://site.example:8080/app/x'), 'target 10.0.0.1:8080 /app/x', 'its own port: its own path');
  t.equal(lead(plain, 'http://site.example:443/v1/x'), 'target 10.0.0.1:8080 /v1/x');
  t.equal(lead(plain, 'http://site.example:443/v1/x', { secure: true }), 'target 10.0.0.1:8080 /v1/x');
  t.equal(lead(plain, 'https://site.example/v1/x', { host: 'site.example:8000' }), 'target 10.0.0.1:8080 /v1/x');
  t.equal(lead(plain, 'http://site.example:81/v1/x'), 'nowhere');
});

t.test(
  'what rewrites the path: a link as the origin sees it goes back there, one as clients see it by the route',
  async (t) => {
    const others = ['* 10.0.0.8:80', '*,path_beg=/other 10.0.0.9:80'];
    for (const [route, path, links] of [
      [
        '*,path_beg=/app,replace_beg=/v1',
        '/app/stream',
        [
          ['http://site.example/v1/x', 'target 10.0.0.1:80 /v1/x'],
          ['http://site.example/app/x', 'route 10.0.0.1:80 /v1/x'],
          ['http://site.example/other/x', 'route 10.0.0.9:80 /other/x'],
          ['http://site.example/x', 'route 10.0.0.8:80 /x'],
        ],
      ],
      [
        '*,path_beg=/app,replace_beg=/',
        '/app/stream',
        [
          ['http://site.example/x', 'target 10.0.0.1:80 /x'],
          ['http://site.example/app/x', 'route 10.0.0.1:80 //x'],
          ['http://site.example/other/x', 'route 10.0.0.9:80 /other/x'],
        ],
      ],
      [
        '*,path_beg=/app,path_rem=4',
        '/app/stream',
        [
          ['http://site.example/x', 'target 10.0.0.1:80 /x'],
          ['http://site.example/app/x', 'route 10.0.0.1:80 /x'],
          ['/items', 'target 10.0.0.1:80 /items'],
          ['items', 'route 10.0.0.1:80 /items'],
        ],
      ],
      [
        '*,path_beg=/a,path_rem=6',
        '/a/one/stream',
        [
          ['http://site.example/x', 'target 10.0.0.1:80 /x'],
          ['/a/one/x', 'route 10.0.0.1:80 /x'],
          ['/a/x', 'target 10.0.0.1:80 /a/x'],
          ['../up', 'target 10.0.0.1:80 /up'],
        ],
      ],
      [
        '*,path_beg=/api,replace_beg=/api/v1',
        '/api/stream',
        [
          ['http://site.example/api/v1/x', 'target 10.0.0.1:80 /api/v1/x'],
          ['http://site.example/api/x', 'route 10.0.0.1:80 /api/v1/x'],
        ],
      ],
      [
        '*,path_beg=/api/v1,replace_beg=/api',
        '/api/v1/stream',
        [
          ['http://site.example/api/v1/x', 'route 10.0.0.1:80 /api/x'],
          ['http://site.example/api/x', 'target 10.0.0.1:80 /api/x'],
        ],
      ],
      [
        '*,path_beg=/deep/er,replace_beg=/v1',
        '/deep/er/a/stream',
        [
          ['../../x', 'target 10.0.0.1:80 /x'],
          ['../x', 'route 10.0.0.1:80 /v1/x'],
        ],
      ],
    ] as const) {
      const table = tableOf(`${route} 10.0.0.1:80`, ...others);
      for (const [link, result] of links) t.equal(lead(table, link, { path }), result, `${route}: ${link}`);
    }
    const whole = tableOf('*,replace_beg=/v1 10.0.0.1:80');
    t.equal(lead(whole, 'http://site.example/v1/x'), 'target 10.0.0.1:80 /v1/x');
    t.equal(lead(whole, 'http://site.example/x'), 'route 10.0.0.1:80 /v1/x');
  },
);

t.test('on the site of a client that came over TLS a link of http is as the client’s own request', async (t) => {
  const table = tableOf('*,path_beg=/app 10.0.0.1:80', '*,ssl=yes 10.0.0.2:80', '*,ssl=no 10.0.0.3:80');
  const secured = (link: string) => placeOf(link, scopeIn(table, { secure: true }), table);
  t.match(secured('http://site.example/app/x'), { kind: 'route', secure: true });
  t.match(secured('http://site.example/x'), { secure: true, route: { targets: [{ host: '10.0.0.2' }] } });
});

t.test('the domain of another route leads to that route, on the usual ports; * is the domain of nobody', async (t) => {
  const table = tableOf('* 10.0.0.1:80', 'other.example,path_beg=/x,path_rem=2 10.0.0.2:80');
  t.equal(lead(table, 'http://OTHER.example/x/y'), 'route 10.0.0.2:80 /y');
  t.equal(lead(table, 'https://other.example/x/y'), 'route 10.0.0.2:80 /y');
  t.equal(lead(table, 'http://other.example/z'), 'nowhere', 'none of its lines takes that');
  t.equal(lead(table, 'http://other.example:81/x/y'), 'nowhere');
  t.equal(lead(table, 'http://other.example:81/x/y', { host: 'site.example:81' }), 'route 10.0.0.2:80 /y');
});

t.test('an origin that is not trusted gets to private addresses by no other route', async (t) => {
  const table = tableOf(
    'a.example 10.0.0.1:80,untrusted',
    'b.example 10.0.0.2:80',
    'a.example,path_beg=/b 10.0.0.3:80',
  );
  for (const link of ['http://b.example/x', '//b.example/x']) {
    const place = placeOf(link, scopeIn(table, { host: 'a.example' }), table);
    t.match(place, { kind: 'route', route: { targets: [{ host: '10.0.0.2', untrusted: true }] } }, link);
  }
  t.match(placeOf('http://a.example/b', scopeIn(table, { host: 'c.example' }), table), {
    route: { targets: [{ host: '10.0.0.3', untrusted: true }] },
  });
});

t.test('link_hosts lead over the network: to these hosts and ports, with nothing of the route', async (t) => {
  const line = '*,as_host=a,header=X-A:b,path_rem=4,link_hosts=News.example|[::1]:81,link_hosts=10.1.1.1:8080';
  const table = tableOf(`${line} 10.0.0.1:80,untrusted`);
  t.equal(lead(table, 'https://news.example/a/b'), 'host news.example:443 /a/b');
  t.equal(lead(table, 'http://news.example:99/a/b'), 'host news.example:99 /a/b');
  t.equal(lead(table, 'http://[0:0::1]:81/a/b'), 'host [::1]:81 /a/b');
  t.equal(lead(table, 'http://0x0a.1.1.1:8080/a/b'), 'host 10.1.1.1:8080 /a/b');
  t.match(placeOf('https://news.example/', scopeIn(table), table), {
    route: { asHost: undefined, headers: [], targets: [{ ssl: true, untrusted: true, insecure: false }] },
  });
  for (const link of [
    'http://[::1]/',
    'http://10.1.1.1/',
    'http://x.news.example/',
    'http://news.example.evil.example/',
  ]) {
    t.equal(lead(table, link), 'nowhere', link);
  }
});

t.test('what an answer of a link names relatively is where that answer came from', async (t) => {
  const table = tableOf(
    '*,path_beg=/app,replace_beg=/v1,link_hosts=news.example 10.0.0.1:80,host=api.example',
    'other.example 10.0.0.2:80',
  );
  const follow = (...links: string[]) => {
    let scope: LinkScope = scopeIn(table);
    let place: LinkPlace | undefined;
    for (const link of links) {
      place = placeOf(link, scope, table);
      if (place.kind !== 'nowhere') scope = scopeAt(place, scope);
    }
    return say(place as LinkPlace);
  };
  t.equal(follow('/v1/a/first', 'second'), 'target 10.0.0.1:80 /v1/a/second');
  t.equal(follow('http://api.example/v1/a/first', 'second'), 'target 10.0.0.1:80 /v1/a/second');
  t.equal(follow('http://other.example/a/first', 'second'), 'route 10.0.0.2:80 /a/second');
  t.equal(follow('http://news.example/a/first', 'second'), 'host news.example:80 /a/second');
  t.equal(follow('http://site.example/v1/a', 'http://site.example/app/b'), 'route 10.0.0.1:80 /v1/b');
  t.equal(follow('http://news.example/a', '//evil.example/'), 'nowhere');
  t.equal(follow('http://news.example/a', 'http://site.example/app/b'), 'route 10.0.0.1:80 /v1/b', 'and back');
});

t.test('of a route that is not in force any more nothing is used', async (t) => {
  const old = tableOf('*,path_beg=/app,link_hosts=news.example 10.0.0.1:80');
  const none = tableOf();
  const now = tableOf('*,path_beg=/ 10.0.0.9:80');
  const scope = scopeIn(old, { host: '127.0.0.1:8080' });
  for (const link of ['/app/x', '/x', 'http://127.0.0.1:8080/x', 'http://10.0.0.1/x', 'http://news.example/']) {
    t.equal(say(placeOf(link, scope, none)), 'nowhere', link);
  }
  t.equal(say(placeOf('/app/x', scope, now)), 'route 10.0.0.9:80 /app/x', 'the table as it is now decides');
  t.equal(say(placeOf('http://10.0.0.1/x', scope, now)), 'nowhere');
});

t.test('a route that asks clients for certificates is reached by links of its own only', async (t) => {
  const lines = ['*,path_beg=/app 10.0.0.1:80', 'private.example,client_cert=require 10.0.0.2:80'];
  const table = tableOf(...lines, '*,path_beg=/vault,client_cert=require 10.0.0.3:80');
  for (const link of ['http://private.example/x', 'https://site.example/vault/x', 'http://private.example/'])
    t.equal(lead(table, link), 'nowhere', link);
  const own = tableOf('*,path_beg=/app,client_cert=require 10.0.0.1:80', '* 10.0.0.2:80');
  t.equal(lead(own, '/app/next'), 'route 10.0.0.1:80 /app/next');
  t.equal(lead(own, 'https://site.example/other'), 'route 10.0.0.2:80 /other');
});
