/** Where the token of a request is, and what becomes of it. */
import t from 'tap';
import { findToken, protocolBeside, withoutToken } from '../../dist/direct/token-source.js';
import type { ClientRequest } from '../../dist/edge/port.js';

const find = (headers: readonly string[], hasCookies = true) => findToken(headers, 'k', hasCookies);

t.test('Authorization goes before a subprotocol, and that before the cookie', async (t) => {
  const cookie = ['Cookie', 'a=1; k=three'];
  const protocol = ['Sec-WebSocket-Protocol', 'chat, holdfast-token.two'];
  t.strictSame(find(['authorization', 'bearer  one', ...protocol, ...cookie]), { token: 'one' });
  t.strictSame(find([...protocol, ...cookie]), { token: 'two' });
  t.strictSame(find(cookie), { token: 'three' });
  t.strictSame(find(['Cookie', 'a=1', 'Cookie', 'k="three"']), { token: 'three' });
  t.equal(find(['Cookie', 'kk=1; ak=2; k=']), 'none');
  t.equal(find([]), 'none');
});

t.test('a cookie does not count for a page of another site, nor where there is none by name', async (t) => {
  t.equal(find(['Cookie', 'k=1'], false), 'none');
  t.equal(findToken(['Cookie', 'k=1'], undefined, true), 'none');
});

t.test('more than one, or another scheme, is none of them', async (t) => {
  t.equal(find(['Authorization', 'Bearer a', 'Authorization', 'Bearer a']), 'several');
  t.equal(find(['Sec-WebSocket-Protocol', 'holdfast-token.a, holdfast-token.b']), 'several');
  t.equal(find(['Cookie', 'k=1; k=2']), 'several');
  t.equal(find(['Authorization', 'Basic abc']), 'unknown');
  t.equal(find(['Authorization', 'Bearer a b']), 'unknown');
});

t.test('the subprotocol that is chosen is never the token', async (t) => {
  t.equal(protocolBeside(['Sec-WebSocket-Protocol', 'holdfast-token.a, chat, other']), 'chat');
  t.equal(protocolBeside(['Sec-WebSocket-Protocol', 'holdfast-token.a']), undefined);
  t.equal(protocolBeside([]), undefined);
});

t.test('a token in the query is taken out, and is in Authorization only where it counts', async (t) => {
  const request = (path: string) => ({ path, headers: ['Host', 'a'] }) as unknown as ClientRequest;
  const name = 'holdfast-token';
  const taken = withoutToken(request(`/x?a=1&${name}=T&b=2`), { name, counts: true });
  t.strictSame([taken.path, taken.headers], ['/x?a=1&b=2', ['Host', 'a', 'Authorization', 'Bearer T']]);
  const left = withoutToken(request(`/x?${name}=T`), { name, counts: false });
  t.strictSame([left.path, left.headers], ['/x', ['Host', 'a']]);
  const same = request('/x?a=1');
  t.equal(withoutToken(same, { name, counts: true }), same);
});
