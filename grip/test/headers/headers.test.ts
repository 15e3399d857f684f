import t from 'tap';
import { headerValue, headerValues } from '../../dist/index.js';

const headers = ['Set-Cookie', 'a', 'X', '1', 'set-cookie', 'b', 'SET-COOKIE', ''];

t.test('a header is found whatever its case; the first value is given', async (t) => {
  t.equal(headerValue(headers, 'set-cookie'), 'a');
  t.equal(headerValue(headers, 'x'), '1');
  t.equal(headerValue(headers, 'y'), undefined);
});

t.test('all values of a header are given in wire order, empty ones too', async (t) => {
  t.same(headerValues(headers, 'set-cookie'), ['a', 'b', '']);
  t.same(headerValues(headers, 'y'), []);
});
