/** That links lead nowhere else, whatever they are. */
import fc from 'fast-check';
import t from 'tap';
import { placeOf, scopeAt } from '../../dist/links/link-place.js';
import { describeTarget } from '../../dist/origin/send.js';
import { scopeIn, tableOf } from './link-place-fixture.js';

t.test(
  'property: whatever an origin links to, and whatever a client calls the site, only targets and link_hosts are asked',
  async (t) => {
    const table = tableOf(
      '*,path_beg=/app,replace_beg=/v1,link_hosts=news.example|127.0.0.9:81 10.0.0.1:80,host=api.example test',
      '*,path_beg=/app/b,path_rem=4 10.0.0.2:80',
      'other.example 10.0.0.3:80,ssl',
    );
    const allowed = /^(10\.0\.0\.[123]:80|test|news\.example:\d+|127\.0\.0\.9:81)$/;
    const piece = fc.constantFrom(
      ...[
        'http:',
        'https:',
        'ws:',
        'HTTP:',
        '/',
        '//',
        '\\',
        '\\\\',
        '..',
        '.',
        '?',
        '#',
        '@',
        ':',
        ':80',
        ':81',
        ':0',
        '%2f',
        '\t',
      ],
      ...[
        '\n',
        ' ',
        'a',
        'app',
        'v1',
        'evil.example',
        'site.example',
        'other.example',
        'api.example',
        'news.example',
        '[::1]',
      ],
      ...[
        '10.0.0.1',
        '127.0.0.1',
        '127.0.0.9',
        '0x7f.1',
        'localhost',
        'nobody.invalid',
        'user',
        '%00',
        'é',
        '。',
        '１２７.0.0.1',
      ],
    );
    const link = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''));
    const host = fc.constantFrom(
      'site.example',
      'evil.example',
      '127.0.0.1:81',
      '[::1]',
      '10.0.0.1',
      'nobody.invalid',
      'a:0',
    );
    const path = fc.constantFrom('/app/x', '/app//evil.example/x', '//evil.example/x', '/app/b?//evil.example');
    fc.assert(
      fc.property(link, link, host, path, fc.boolean(), (first, second, name, at, secure) => {
        const scope = scopeIn(table, { host: name, path: at, secure });
        const place = placeOf(first, scope, table);
        const next = place.kind === 'nowhere' ? place : placeOf(second, scopeAt(place, scope), table);
        for (const one of [place, next]) {
          if (one.kind === 'nowhere') continue;
          const hosts = one.route.targets.map(describeTarget);
          if (!hosts.every((target) => allowed.test(target))) throw new Error(`${one.kind} ${hosts} (${one.url})`);
          // What goes to a host of the list has no signature; all else is a target of ours.
          if ((one.kind === 'host') !== /^(news|127)/.test(hosts[0] as string)) throw new Error(`${one.kind} ${hosts}`);
        }
      }),
      { numRuns: 5_000 },
    );
    t.pass();
  },
);
