/** The parts of addresses, the path of a request, and the option that names the component. */
import t from 'tap';
import { componentOf } from '../../dist/config/types/xmpp-component.js';
import { ADDRESS_MAX, isOwnAddress, parseAddress, pathOf } from '../../dist/xmpp/address.js';

t.test('an address has a domain, and may have a local part and a resource', async (t) => {
  const table: [text: string, bare: string, local: string, domain: string][] = [
    ['x.example', 'x.example', '', 'x.example'],
    ['a@X.Example', 'a@X.Example', 'a', 'x.example'],
    ['a@x.example/r', 'a@x.example', 'a', 'x.example'],
    ['x.example/r@s/t', 'x.example', '', 'x.example'],
    ['ä@x/ 1', 'ä@x', 'ä', 'x'],
  ];
  for (const [full, bare, local, domain] of table) t.strictSame(parseAddress(full), { full, bare, local, domain });
  for (const text of [undefined, '', '@x', 'a@', 'a@/r', '/r', 'a@x/'])
    t.equal(parseAddress(text), undefined, `${text}`);
  const longest = `a@${'x'.repeat(ADDRESS_MAX - 2)}`;
  t.ok(parseAddress(longest));
  t.equal(parseAddress(`${longest}x`), undefined);
});

t.test('an address is our own if its domain is that of the component, to the letter', async (t) => {
  for (const own of ['p.example', 'a@p.example', 'a@p.example/r', 'p.example/r'])
    t.equal(isOwnAddress(own, 'p.example'), true, own);
  for (const other of ['', 'a@P.example', 'p.example.', 'a@b@p.example', 'a@x/p.example', '@p.example', 'p.example/'])
    t.equal(isOwnAddress(other, 'p.example'), false, other);
});

t.test('the path is the local part; what servers would take for another path is none', async (t) => {
  const path = (text: string) => pathOf(parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>);
  t.equal(path('x.example'), '/');
  t.equal(path('news@x.example/r'), '/news');
  t.equal(path('a/b@x.example'), '/', 'a slash begins the resource');
  t.equal(path('ä?b#c%d\\e@x'), '/%C3%A4%3Fb%23c%25d%5Ce');
  for (const local of ['.', '..', '\ud800']) t.equal(path(`${local}@x`), undefined, local);
  t.equal(path('...@x'), '/...');
});

t.test('the component is a domain, a host and a port', async (t) => {
  t.strictSame(componentOf('Push.Example'), { domain: 'push.example', host: '127.0.0.1', port: 5347 });
  t.strictSame(componentOf('p.example@xmpp.local'), { domain: 'p.example', host: 'xmpp.local', port: 5347 });
  t.strictSame(componentOf('p.example@[::1]:1'), { domain: 'p.example', host: '::1', port: 1 });
  for (const text of ['', 'a b', 'p@h:0', 'p@h:65536', 'p@h:x', 'p@', '@h', 'p/q', 'p@::1', 'xmpp://p'])
    t.equal(componentOf(text), undefined, text);
});
