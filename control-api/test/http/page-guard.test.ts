/** Which requests may come from a browser's page, or under which name they may come at all. */
import t from 'tap';
import { PageGuard } from '../../dist/index.js';

type Headers = Readonly<Record<string, string>>;

const codeOf = (guard: PageGuard, headers: Headers) => guard.check(headers)?.code;

const PAGE = 'ERR_CONTROL_PAGE';
const HOST = 'ERR_CONTROL_HOST';
const local = () => new PageGuard('127.0.0.1', []);
const everywhere = () => new PageGuard('0.0.0.0', []);

t.test('programs send neither Origin nor Sec-Fetch-Site, and pass', async (t) => {
  for (const host of ['localhost', 'localhost:5561', 'LOCALHOST:1', 'localhost.', '127.0.0.1:5561', '127.8.9.1'])
    t.equal(codeOf(local(), { host }), undefined, host);
  for (const host of ['[::1]', '[::1]:5561', '[0:0:0:0:0:0:0:1]:80', '[::ffff:127.0.0.1]'])
    t.equal(codeOf(local(), { host }), undefined, host);
  for (const host of ['10.0.0.7:5561', '0.0.0.0:5561', '[fd00::1]'])
    t.equal(codeOf(local(), { host }), undefined, `${host}: rebinding moves names, not addresses`);
  for (const host of ['holdfast:5561', '10.0.0.7:5561', '[fd00::1]:5561', 'localhost', 'a.b.svc.cluster.local'])
    t.equal(codeOf(everywhere(), { host }), undefined, host);
});

t.test('a request without Host, or with an empty one, passes: browsers always name it', async (t) => {
  for (const guard of [local(), everywhere()]) {
    t.equal(codeOf(guard, {}), undefined);
    t.equal(codeOf(guard, { host: '' }), undefined);
  }
});

t.test('on loopback a foreign name in Host is refused: DNS may have been moved here', async (t) => {
  const foreign = [
    'evil.test',
    'evil.test:5561',
    'localhost.evil.test',
    'evil-localhost.test',
    '127.0.0.1.evil.test:5561',
  ];
  const odd = ['127.1', '2130706433', '[::1', 'localhost:x', 'a:b:c', '@', ' '];
  for (const address of ['127.0.0.1', '127.0.0.53', '::1', '::ffff:127.0.0.1'])
    for (const host of [...foreign, ...odd]) t.equal(codeOf(new PageGuard(address, []), { host }), HOST, host);
});

t.test('a name without a dot is not in the public DNS: programs may use it, a browser under it may not', async (t) => {
  for (const host of ['holdfast', 'web1:5561', 'x']) {
    t.equal(codeOf(local(), { host }), undefined, host);
    t.equal(codeOf(local(), { host, origin: `http://${host}` }), PAGE, host);
    // A neighbour on the network can answer for such a name.
    t.equal(codeOf(local(), { host, 'accept-language': 'en' }), HOST, `${host}, from a browser`);
    t.equal(codeOf(new PageGuard('127.0.0.1', ['localhost']), { host }), HOST, 'unless names are listed');
  }
});

t.test('listed names are taken, whatever their case and port', async (t) => {
  const guard = new PageGuard('127.0.0.1', ['Holdfast.internal', 'other:5561']);
  for (const host of ['holdfast.internal', 'HOLDFAST.INTERNAL:5561', 'other', 'other:80', 'localhost'])
    t.equal(codeOf(guard, { host }), undefined, host);
  t.equal(codeOf(guard, { host: 'evil.test' }), HOST);
});

t.test('the name by which a loopback listener is configured is one of its own', async (t) => {
  const guard = new PageGuard('127.0.1.1', [], 'web1.lan');
  t.equal(codeOf(guard, { host: 'web1.lan:5561' }), undefined);
  t.equal(codeOf(guard, { host: 'web2.lan:5561' }), HOST);
});

t.test('elsewhere names count once some are listed; addresses always reach it', async (t) => {
  const guard = new PageGuard('0.0.0.0', ['holdfast']);
  for (const host of ['holdfast:5561', 'localhost', '10.0.0.7:5561', '[fd00::1]:5561'])
    t.equal(codeOf(guard, { host }), undefined, host);
  t.equal(codeOf(guard, { host: 'evil.test:5561' }), HOST);
});

t.test('elsewhere a browser needs a known name even for what says nothing of its page; programs do not', async (t) => {
  const host = 'evil.test:5561';
  const guard = everywhere();
  for (const language of ['en-US,en;q=0.9', '*', '']) {
    t.equal(codeOf(guard, { host, 'accept-language': language }), HOST, `browser: ${language}`);
    t.equal(codeOf(guard, { host: '10.0.0.7:5561', 'accept-language': language }), undefined, 'by its address');
    t.equal(codeOf(new PageGuard('0.0.0.0', [host]), { host, 'accept-language': language }), undefined, 'listed');
  }
  t.equal(codeOf(guard, { host }), undefined, 'curl');
  t.equal(codeOf(guard, { host, 'accept-language': '*', 'sec-fetch-mode': 'cors' }), undefined, 'Node’s fetch');
  t.equal(codeOf(guard, { host, 'accept-language': 'en' }), HOST, 'although the host was taken from a program');
});

t.test('a host that was taken is no passport for the next one', async (t) => {
  const guard = local();
  t.equal(codeOf(guard, { host: 'localhost:5561' }), undefined);
  t.equal(codeOf(guard, { host: 'evil.test:5561' }), HOST);
  t.equal(codeOf(guard, { host: 'localhost:5561' }), undefined);
  t.equal(codeOf(guard, { host: 'localhost:5561', origin: 'http://evil.test' }), PAGE);
});

t.test('pages of other sites are refused, by Origin', async (t) => {
  const origins = ['http://evil.test', 'https://evil.test:5561', 'null', '', 'file://', 'http://', 'localhost:5561'];
  const near = [
    'http://localhost',
    'http://localhost:8080',
    'http://localhost:55610',
    'http://evil.test/localhost:5561',
  ];
  const lists = [
    'http://localhost:5561 http://evil.test',
    'http://localhost:5561, null',
    'moz-extension://localhost:5561',
  ];
  for (const guard of [local(), everywhere()])
    for (const origin of [...origins, ...near, ...lists])
      t.equal(codeOf(guard, { host: 'localhost:5561', origin }), PAGE, origin);
  t.equal(codeOf(local(), { origin: 'http://localhost:5561' }), PAGE, 'without Host it is nobody’s own');
});

t.test('and by Sec-Fetch-Site', async (t) => {
  for (const guard of [local(), everywhere()]) {
    for (const site of ['cross-site', 'same-site', '', 'none, cross-site', 'whatever'])
      t.equal(codeOf(guard, { host: 'localhost', 'sec-fetch-site': site }), PAGE, site);
    for (const site of ['none', 'same-origin'])
      t.equal(codeOf(guard, { host: 'localhost', 'sec-fetch-site': site }), undefined, site);
  }
});

t.test('a page of the listener itself passes; not so one under a name that was moved to it', async (t) => {
  for (const host of ['localhost:5561', '127.0.0.1:5561', '[::1]:5561'])
    t.equal(codeOf(local(), { host, origin: `http://${host}` }), undefined, host);
  t.equal(codeOf(everywhere(), { host: '10.0.0.7:5561', origin: 'http://10.0.0.7:5561' }), undefined);
  t.equal(codeOf(everywhere(), { host: 'evil.test:5561', origin: 'http://evil.test:5561' }), PAGE);
  const named = new PageGuard('0.0.0.0', ['holdfast']);
  t.equal(codeOf(named, { host: 'holdfast:5561', origin: 'http://holdfast:5561' }), undefined);
});

t.test('pages of listed origins pass, and no others; the name in Host still counts', async (t) => {
  const origins = { allows: (origin: string) => origin === 'https://ops.example' };
  for (const address of ['127.0.0.1', '0.0.0.0']) {
    const guard = new PageGuard(address, [], address, origins);
    const page = { host: 'localhost:5561', origin: 'https://ops.example' };
    t.equal(codeOf(guard, page), undefined);
    for (const site of ['cross-site', 'same-site', 'same-origin'])
      t.equal(codeOf(guard, { ...page, 'sec-fetch-site': site }), undefined, site);
    t.equal(codeOf(guard, { host: 'localhost', 'sec-fetch-site': 'cross-site' }), PAGE, 'a page that is not named');
    for (const origin of ['http://ops.example', 'https://ops.example.evil.test', 'null', ''])
      t.equal(codeOf(guard, { ...page, origin }), PAGE, origin);
  }
  const guard = new PageGuard('127.0.0.1', [], '127.0.0.1', origins);
  t.equal(codeOf(guard, { host: 'evil.test:5561', origin: 'https://ops.example' }), HOST);
});
