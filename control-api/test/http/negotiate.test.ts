import fc from 'fast-check';
import t from 'tap';
import { negotiate } from '../../dist/http/negotiate.js';

const cases: ReadonlyArray<readonly [string | undefined, 'text' | 'json' | undefined]> = [
  [undefined, 'text'],
  ['', 'text'],
  [' , ', 'text'],
  ['text/plain', 'text'],
  ['text/*', 'text'],
  ['*/*', 'text'],
  ['*', 'text'],
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['Application/JSON', 'json'],
  ['application/json; charset=utf-8', 'json'],
  ['application/json, text/plain, */*', 'text'],
  ['text/plain, application/json', 'json'],
  ['application/json;q=0.1, text/plain;q=0.9', 'text'],
  ['text/plain;q=1, application/json;q=0', 'json'],
  ['text/html, application/json, image/png', 'json'],
  ['image/png', undefined],
  ['text/html, application/xml', undefined],
  ['text/plainer', undefined],
  ['application/jsonp', undefined],
];

t.test('the last known media type of Accept decides, whatever its weight', async (t) => {
  for (const [accept, format] of cases) t.equal(negotiate(accept), format, String(accept));
});

t.test('unknown media types never change the choice', async (t) => {
  const known = fc.constantFrom('text/plain', '*/*', 'application/json', 'application/*');
  const unknown = fc.constantFrom('image/png', 'text/html;level=1', 'x/y;q=0.1', ' ', 'application/json2');
  fc.assert(
    fc.property(fc.array(known, { minLength: 1 }), fc.array(unknown), fc.array(unknown), (list, before, after) => {
      t.equal(negotiate([...before, ...list, ...after].join(',')), negotiate(list.join(',')));
    }),
  );
});

t.test('no Accept value makes negotiation fail', async () => {
  fc.assert(fc.property(fc.string(), (accept) => ['text', 'json', undefined].includes(negotiate(accept))));
});
