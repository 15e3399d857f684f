import t from 'tap';
import { wireFromText } from '../../dist/index.js';
import { httpResponse } from '../../dist/item/http-response.js';

const { parse } = httpResponse;

t.test('http-response sends 200 OK unless it says otherwise', async (t) => {
  t.same(parse({ body: 'é' }), {
    action: 'send',
    code: 200,
    reason: 'OK',
    headers: [],
    body: Buffer.from('é'),
  });
  t.match(parse({ action: 'send', code: '404', body: '' }), { code: 404, reason: 'Not Found' });
  t.match(parse({ code: 404, reason: 'Nopé', body: '' }), { reason: wireFromText('Nopé') });
});

t.test('http-response headers are an object or pairs, as Latin-1 strings of their UTF-8 bytes', async (t) => {
  t.match(parse({ headers: { A: 'é' }, body: '' }), { headers: ['A', wireFromText('é')] });
  const pairs = [
    ['B', '1'],
    ['A', '2'],
    ['B', '3'],
  ];
  t.match(parse({ headers: pairs, body: '' }), { headers: pairs.flat() });
});

t.test('http-response takes body-bin before body before body-patch', async (t) => {
  const patch = [{ op: 'test', path: '/a', value: 1 }];
  t.match(parse({ 'body-bin': 'AP8=', body: 'x', 'body-patch': patch }), { body: Buffer.from([0, 255]) });
  t.match(parse({ body: 'x', 'body-patch': patch }), { body: Buffer.from('x') });
  t.match(parse({ 'body-patch': patch }), { bodyPatch: JSON.stringify(patch), body: undefined });
});
