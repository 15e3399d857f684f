/** The request that an item makes: where it goes, its fields, its filters, its id. */
import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { CallbackReader } from '../../dist/callbacks/callback-request.js';
import { callback } from './callbacks-fixture.js';

const item = (format: object, more: object = {}) =>
  parseItem({ channel: 'a', formats: { 'http-request': format }, ...more });

function readerFor(url: string, filters: readonly string[] = [], meta: Readonly<Record<string, string>> = {}) {
  return new CallbackReader(callback('id', [], { url, meta, channels: [{ name: 'a', filters }] }));
}

function urlOf(url: string, path: string): string {
  const meaning = readerFor(url).read(item({ path }));
  return meaning.kind === 'request' ? meaning.url.href : meaning.kind;
}

t.test('the path of an item stands behind that of the callback, and leads nowhere else', async (t) => {
  t.equal(urlOf('https://c.example/hook', ''), 'https://c.example/hook');
  t.equal(urlOf('https://c.example/hook', '/a/b'), 'https://c.example/hook/a/b');
  t.equal(urlOf('https://c.example/hook/', '/a'), 'https://c.example/hook/a');
  t.equal(urlOf('https://c.example', '/a?x=1'), 'https://c.example/a?x=1');
  t.equal(urlOf('https://c.example/hook?k=1', '/a?x=1'), 'https://c.example/hook/a?k=1&x=1');
  t.equal(urlOf('https://c.example/hook?k=1', '?x=1'), 'https://c.example/hook?k=1&x=1');
  t.equal(urlOf('https://c.example/hook', '//evil.example/'), 'https://c.example/hook//evil.example/');
  t.equal(urlOf('https://c.example', '//evil.example/'), 'https://c.example//evil.example/');
  t.equal(urlOf('https://c.example/hook', '/@evil.example'), 'https://c.example/hook/@evil.example');
});

t.test('what frames, signs and addresses the request is not the item to say', async (t) => {
  const headers = {
    Host: 'evil.example',
    'Content-Length': '5',
    'Transfer-Encoding': 'chunked',
    Connection: 'close',
    'Webhook-Signature': 'v1,x',
    'Proxy-Authorization': 'x',
    'Grip-Sig': 'x',
    'X-Own': 'é',
    'Content-Type': 'application/json',
  };
  const meaning = readerFor('http://c.example').read(item({ method: 'PUT', headers, body: '{}' }));
  t.match(meaning, {
    method: 'PUT',
    headers: ['X-Own', 'Ã©', 'Content-Type', 'application/json', 'User-Agent', 'Holdfast', 'Content-Length', '2'],
  });
  const get = readerFor('http://c.example').read(item({ method: 'GET', headers: { 'User-Agent': 'own' } }));
  t.match(get, { headers: ['User-Agent', 'own'] });
});

t.test('actions: close ends it, hint and refresh mean nothing; other formats neither', async (t) => {
  const reader = readerFor('http://c.example');
  t.equal(reader.read(item({ action: 'close' })).kind, 'close');
  for (const action of ['hint', 'refresh']) t.equal(reader.read(item({ action })).kind, 'nothing');
  const stream = parseItem({ channel: 'a', formats: { 'http-stream': { content: 'x' } } });
  t.equal(reader.read(stream).kind, 'nothing');
});

t.test("GRIP's filters run with the meta of the callback", async (t) => {
  const reader = readerFor('http://c.example', ['skip-self', 'var-subst'], { user: 'ann', name: 'Ann' });
  const body = (read: ReturnType<typeof reader.read>) => (read.kind === 'request' ? read.body.toString() : read.kind);
  t.equal(body(reader.read(item({ body: 'for %(name)s' }))), 'for Ann');
  t.equal(body(reader.read(item({ body: 'x' }, { meta: { sender: 'ann' } }))), 'nothing');
  t.equal(body(reader.read(item({ body: 'x', 'content-filters': [] }))), 'nothing', 'meant for others');
  const required = readerFor('http://c.example', ['require-sub']);
  t.equal(required.read(item({ body: 'x' }, { meta: { require_sub: 'b' } })).kind, 'nothing');
  t.equal(required.read(item({ body: 'x' }, { meta: { require_sub: 'a' } })).kind, 'request');
});

t.test('an id is the same for the same item, and no other one', async (t) => {
  const [one, two] = ['one', 'two'].map((id) => new CallbackReader(callback(id, ['a'])));
  const key = (text: string) => ({ key: text, message: undefined });
  t.match(one?.idOf(key('x')), /^msg_[\w-]{32}$/);
  t.equal(one?.idOf(key('x')), one?.idOf(key('x')));
  t.not(one?.idOf(key('x')), one?.idOf(key('y')));
  t.not(one?.idOf(key('x')), two?.idOf(key('x')));
});
