import fc from 'fast-check';
import t from 'tap';
import { callbackOf, isSockJsPath, readPlace, type SockJsPlace } from '../../dist/sockjs/sockjs-path.js';

const nothing = { kind: 'nothing' } as const;

const PLACES: readonly (readonly [path: string, place: SockJsPlace])[] = [
  ['', { kind: 'greeting' }],
  ['/', { kind: 'greeting' }],
  ['?x', { kind: 'greeting' }],
  ['/info', { kind: 'info' }],
  ['/info?t=1', { kind: 'info' }],
  ['/info/', nothing],
  ['/iframe.html', { kind: 'iframe' }],
  ['/iframe-.html', { kind: 'iframe' }],
  ['/iframe-0.1.2abc-dirty.2144.html?t=qwe', { kind: 'iframe' }],
  ['/iframe.htm', nothing],
  ['/iframe', nothing],
  ['/IFRAME.HTML', nothing],
  ['/iframe.HTML', nothing],
  ['/iframe.xml', nothing],
  ['/iframe-/.html', nothing],
  ['/websocket', { kind: 'raw-websocket' }],
  ['/000/s/websocket', { kind: 'websocket', session: 's' }],
  ['/000/s/xhr', { kind: 'receive', transport: 'xhr', session: 's' }],
  ['/_/_/xhr', { kind: 'receive', transport: 'xhr', session: '_' }],
  ['/abcdefgh_i-j%20/abc_i-j%20/xhr', { kind: 'receive', transport: 'xhr', session: 'abc_i-j%20' }],
  ['/0/s/xhr_streaming', { kind: 'receive', transport: 'xhr_streaming', session: 's' }],
  ['/0/s/eventsource', { kind: 'receive', transport: 'eventsource', session: 's' }],
  ['/0/s/htmlfile?c=x', { kind: 'receive', transport: 'htmlfile', session: 's' }],
  ['/0/s/jsonp?c=x', { kind: 'receive', transport: 'jsonp', session: 's' }],
  ['/0/s/xhr_send', { kind: 'send', transport: 'xhr_send', session: 's' }],
  ['/0/s/jsonp_send', { kind: 'send', transport: 'jsonp_send', session: 's' }],
  ['/0/s/xdr', nothing],
  ['/0/s/xhr/', nothing],
  ['/0/s', nothing],
  ['//xhr', nothing],
  ['///xhr', nothing],
  ['//s/xhr', nothing],
  ['/0//xhr', nothing],
  ['/a./a/xhr', nothing],
  ['/a/a./xhr', nothing],
  ['/./././xhr', nothing],
  ['/0/0/s/xhr', nothing],
  [`/0/${'s'.repeat(256)}/xhr`, { kind: 'receive', transport: 'xhr', session: 's'.repeat(256) }],
  [`/0/${'s'.repeat(257)}/xhr`, nothing],
  ['X', nothing],
  ['X/0/s/xhr', nothing],
];

t.test('what paths stand for', async (t) => {
  for (const [path, place] of PLACES) t.strictSame(readPlace('/echo', `/echo${path}`), place, path || 'the prefix');
});

t.test('a slash at the end of the prefix, and a prefix that is nothing else', async (t) => {
  t.strictSame(readPlace('/echo/', '/echo/info'), { kind: 'info' });
  t.strictSame(readPlace('/', '/0/s/xhr'), { kind: 'receive', transport: 'xhr', session: 's' });
  t.notOk(isSockJsPath('/echo/', '/echo'));
  t.ok(isSockJsPath('/echo', '/echoes'), 'as in Pushpin, a prefix is not bound to segments');
  t.notOk(isSockJsPath(undefined, '/echo'));
});

t.test('no path throws, and whatever is read is in the path', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '/',
      '.',
      '..',
      '%',
      '%00',
      '%2f',
      '?',
      'xhr',
      'jsonp',
      'websocket',
      'info',
      'iframe',
      '.html',
      '000',
    ),
    fc.string(),
    fc.string({ unit: 'binary' }),
  );
  const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/echo${pieces.join('')}`);
  fc.assert(
    fc.property(path, (text) => {
      const place = readPlace('/echo', text);
      if (!('session' in place)) return true;
      const [before = ''] = text.split('?', 1);
      const parts = before.split('/');
      return parts.length === 5 && parts[3] === place.session && place.session !== '' && !place.session.includes('.');
    }),
    { numRuns: 2_000 },
  );
});

t.test('every path made of three good parts is a session’s', async () => {
  const part = fc.stringMatching(/^[^/.?]+$/);
  fc.assert(
    fc.property(part, part, (server, session) => {
      const place = readPlace('/a/b', `/a/b/${server}/${session}/xhr_send?q=/`);
      return place.kind === 'send' && place.session === session;
    }),
  );
});

t.test('callbacks', async (t) => {
  t.equal(callbackOf('/x?c=%63allback'), 'callback');
  t.equal(callbackOf('/x?t=1&callback=_jp.a1[0]'), '_jp.a1[0]');
  t.equal(callbackOf('/x?c=a&callback=b'), 'b');
  for (const name of ['', 'alert(1)', '%3Cscript%3E', 'a.', '1a', 'a b', 'a%0a', '%ff', '%']) {
    t.equal(callbackOf(`/x?c=${name}`), undefined, name);
  }
  t.equal(callbackOf('/x'), undefined);
});
