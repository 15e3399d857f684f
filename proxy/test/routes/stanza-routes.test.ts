/** Routes of XMPP stanzas: which one a stanza takes, and that no request takes any. */
import t from 'tap';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

const route = (text: string) => toRoute(parseRouteLine(text, 1) as RouteLine, () => undefined);
const table = (...lines: string[]) => new RouteTable(lines.map(route));
const hostOf = (found: Route | undefined) => (found?.targets[0] as { host?: string } | undefined)?.host;

t.test('a stanza takes the route of its domain with the longest path; requests take none of these', async (t) => {
  const routes = table(
    '*,xmpp=Push.Example A:1',
    '*,xmpp=push.example,path_beg=/news B:1',
    '*,xmpp=other.example,path_beg=/x,id=c C:1',
    '*,path_beg=/only D:1',
  );
  const stanza = (domain: string, path: string) => hostOf(routes.matchStanza(domain, path));
  t.equal(stanza('push.example', '/'), 'A');
  t.equal(stanza('push.example', '/news'), 'B');
  t.equal(stanza('push.example', '/newsletter'), 'B');
  t.equal(stanza('other.example', '/'), undefined);
  t.equal(stanza('other.example', '/x'), 'C');
  t.equal(stanza('third.example', '/only'), undefined);
  const request = { proto: 'http', host: 'push.example', secure: false } as const;
  t.equal(routes.match({ ...request, path: '/news' }), undefined);
  t.equal(routes.match({ ...request, path: '/x', routeId: 'c' }), undefined);
  t.equal(hostOf(routes.match({ ...request, path: '/only' })), 'D');
  t.equal(routes.hasDomain('push.example'), false);
  const kept = routes.matchStanza('push.example', '/news') as Route;
  t.equal(routes.current(kept), kept);
});

t.test('the same condition twice is a duplicate; a stanza and a request with the same path are not', async (t) => {
  const routes = table('*,xmpp=p.example A:1', '*,xmpp=p.example B:1', '* C:1');
  t.match(routes.warnings, ['skipping duplicate condition xmpp:p.example,*']);
  t.equal(hostOf(routes.matchStanza('p.example', '/')), 'A');
});

t.test('what a stanza cannot meet, and what is no domain, are refused', async (t) => {
  for (const [line, message] of [
    ['a.example,xmpp=p.example A:1', /its domain must be \*/],
    ['*,xmpp A:1', /must be the domain of the component/],
    ['*,xmpp=a@p.example A:1', /must be the domain of the component/],
    ['*,xmpp=p.example,proto=ws A:1', /proto means nothing for stanzas/],
    ['*,xmpp=p.example,ssl=yes A:1', /ssl means nothing for stanzas/],
    ['*,xmpp=p.example,client_cert=require A:1', /client_cert means nothing for stanzas/],
  ] as const)
    t.throws(() => route(line), { message }, line);
});
