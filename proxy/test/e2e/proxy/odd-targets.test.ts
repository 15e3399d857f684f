/**
 * A path is a path, whatever is in it: never another host, never a reason to end. Each target goes to every kind of route, and
 * what comes after it is served as ever.
 */
import t, { type Test } from 'tap';
import { exchange, requestBytes, UPGRADE } from '../../kit/clients/raw-request.js';
import { type Holdfast, responseItem, startHoldfast } from '../../kit/holdfast.js';
import { type Origin, startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const TARGETS = [
  ...[
    '//',
    '///',
    '////x',
    '//x',
    '//x:99999',
    '//x:99999/?a=//',
    '//[',
    '//[::1',
    '//@',
    '//user:pw@h',
    '//ws',
    '//%00',
  ],
  ...['/\\', '/\\\\', '/\\x:99999', '/%', '/%f', '/%ff', '/%00', '/%0d%0aX:y', '/%2f%2f', '/%C0%AF'],
  ...['/?', '/??', '/?/', '/?//x:99999', '/?%ff', '/?channel=%ff&channel=%0d%0a', '/?=&=&&', '/#', '/#//', '/x#?'],
  ...['/..//..', '/../..', '/..', '/.', '/./', '/:@', '/:', '/@', '/;', '/[', '/]', '/^', '/|', '/`', '/{}', '/"<>'],
  ...['/http://h/', '/info/../x', '/a/b/websocket', '/a/b/xhr', '//a/b/xhr', '///websocket', '/iframe.html?//'],
  ...[
    '/response/..',
    '/stream/..',
    '/ws?channel=%',
    `/${'/'.repeat(4_000)}`,
    `/${'a'.repeat(8_000)}`,
    `/?${'%'.repeat(4_000)}`,
  ],
  ...['/\u0080\u00ff', '/\u00c4\u008d', '/?\u00e9', '/\u007f', '/\u0001', '/\t'],
  ...[
    'http://h//',
    'http://[::1',
    'http://h:99999/',
    'http://',
    'http:///',
    'HTTP://h',
    'http://h?x',
    'x:',
    '*',
    '?',
    '#',
    'x',
  ],
];

const HOSTS = ['test', 'plain', 'over', 'sock', 'aco'] as const;

/** Targets that an origin must have seen exactly as they were sent, as far as they reach one. */
const EXACT = TARGETS.filter((target) => /^\/[\x21-\x7e]*$/.test(target) && !target.includes('#'));

async function fixture(t: Test, edge: 'node' | 'uws'): Promise<{ holdfast: Holdfast; origin: Origin }> {
  const origin = await startOrigin(t, (request, response) => {
    // A link that is relative to the client's own request is followed when the hold is over.
    if (request.headers.host === 'linked.example' && request.method === 'GET') {
      response.setHeader('Grip-Hold', 'response');
      response.setHeader('Grip-Channel', 'linked');
      response.setHeader('Grip-Link', '<?gone>; rel=gone');
    }
    response.end('from the origin');
  });
  const { target } = origin;
  const holdfast = await startHoldfast(t, {
    settings: { edge, log_format: 'json' },
    routes: [
      'test.example test',
      `plain.example ${target}`,
      `over.example ${target},over_http`,
      `sock.example,sockjs=/ ${target},over_http`,
      `aco.example,aco ${target}`,
      `linked.example ${target}`,
      '* test',
    ],
  });
  return { holdfast, origin };
}

/** What is wrong with what came back: there is one answer at most, and a whole status line first. */
function faultOf(received: string): string | undefined {
  const isAnswer = /^(|HTTP\/1\.1 [1-5]\d\d [^\r\n]*\r\n[\s\S]*)$/.test(received);
  return isAnswer && received.split(/^HTTP\/1\.1 /m).length <= 2 ? undefined : JSON.stringify(received.slice(0, 300));
}

const FIELDS = ['Connection: close'];

const isAccepted = (text: string) => text.startsWith('HTTP/1.1 101');

/** Sends a target in all ways; resolves with what was wrong. */
async function faultsOf(t: Test, base: string, host: string, target: string): Promise<string[]> {
  const ways = {
    GET: requestBytes(target, host, FIELDS),
    'JSON-P': requestBytes(`${target}${target.includes('?') ? '&' : '?'}callback=f`, host, FIELDS),
    WebSocket: requestBytes(target, host, UPGRADE),
  };
  const all = Object.entries(ways).map(async ([way, bytes]) => {
    const fault = faultOf(await exchange(t, base, bytes, isAccepted));
    return fault === undefined ? [] : [`${way} ${JSON.stringify(target.slice(0, 40))}: ${fault}`];
  });
  return (await Promise.all(all)).flat();
}

for (const edge of ['node', 'uws'] as const) {
  t.test(`edge ${edge}`, async (t) => {
    const { holdfast, origin } = await fixture(t, edge);

    t.test(`${edge}: odd request targets`, async (t) => {
      const good = async (what: string) => {
        const answer = await exchange(t, holdfast.clients, requestBytes('/', 'test.example', FIELDS));
        t.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Hello from/, `the next request is served after ${what}`);
      };
      for (const host of HOSTS) {
        const faults: string[] = [];
        for (const target of TARGETS) faults.push(...(await faultsOf(t, holdfast.clients, `${host}.example`, target)));
        t.strictSame(faults, [], `each request to ${host} has one answer`);
        await good(`those to ${host}`);
      }
      // Their holds end with them: the origin is told, by a link of the same oddness.
      const polls = EXACT.map((target) =>
        exchange(t, holdfast.clients, requestBytes(target, 'linked.example', []), () => true),
      );
      await holdfast.holds('response', EXACT.length);
      await holdfast.publish(responseItem('linked', 'published'));
      for (const received of await Promise.all(polls)) t.match(received, /^HTTP\/1\.1 200 /);
      const gone = () => origin.seen.filter(({ method, url }) => method === 'POST' && url.endsWith('?gone'));
      await until('all links', () => gone().length === EXACT.length);
      const seen = new Set(origin.seen.filter(({ headers }) => headers.host === 'plain.example').map(({ url }) => url));
      t.strictSame(
        EXACT.filter((target) => !seen.has(target)),
        [],
        'all reach their origin as they were sent',
      );
      await good('the end of those that were held');
      t.ok(holdfast.child.running);
      t.equal(holdfast.child.stderr, '');
    });

    t.test(`${edge}: odd values of Host`, async (t) => {
      for (const host of [
        '[',
        ']',
        '[::1',
        '[]',
        '[::1]x',
        'h:99999',
        'h:x',
        'h:1:2',
        '@h',
        'h/x',
        'a b',
        'h\u0001',
        '\u00e9',
        '\\',
      ]) {
        const received = await exchange(t, holdfast.clients, requestBytes('/', host, FIELDS));
        t.match(received, /^(|HTTP\/1\.1 (400|505) )/, `Host: ${JSON.stringify(host)}`);
        t.equal(faultOf(received), undefined);
      }
      for (const host of [
        '',
        'h',
        'h:',
        'h:80',
        '[::1]',
        '[::1]:8080',
        '1.2.3.4',
        '999.999.999.999',
        'a..b',
        '%41',
        "a!$&'()*+,;=_~",
      ]) {
        const received = await exchange(t, holdfast.clients, requestBytes('/', host, FIELDS));
        t.match(received, /^HTTP\/1\.1 200 OK\r\n/, `Host: ${JSON.stringify(host)}`);
      }
    });
  });
}
