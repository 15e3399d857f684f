/** Whose stanza is asked about next, and how many may wait. */
import type { Stanza } from '@holdfast/grip';
import t from 'tap';
import type { Route } from '../../dist/routes/route.js';
import { parseAddress } from '../../dist/xmpp/address.js';
import {
  type Arrival,
  CLIENT_WAITING_MAX,
  REQUESTS_MAX,
  StanzaTurns,
  WAITING_BYTES_MAX,
  WAITING_MAX,
} from '../../dist/xmpp/turns.js';

const address = (text: string) => parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>;

function arrival(from: string, id: string, to = 'news@push.example', bytes = 1): Arrival {
  const body = Buffer.alloc(bytes);
  const rest = { path: '/news', route: {} as Route, maySubscribe: true };
  return { stanza: { id } as Stanza, body, from: address(from), to: address(to), ...rest };
}

function fixture() {
  const asked: { readonly id: string | undefined; readonly done: () => void }[] = [];
  const turns = new StanzaTurns(({ stanza }, done) => asked.push({ id: stanza.id, done }));
  return { turns, asked, ids: () => asked.map(({ id }) => id) };
}

t.test('stanzas of one client are asked about one after the other, those of others meanwhile', async (t) => {
  const { turns, asked, ids } = fixture();
  for (const id of ['a1', 'a2', 'a3']) turns.add(arrival('a@x/1', id));
  turns.add(arrival('b@x/1', 'b1'));
  turns.add(arrival('a@x/2', 'other resource'));
  t.strictSame(ids(), ['a1', 'b1', 'other resource']);
  asked[0]?.done();
  asked[0]?.done();
  t.strictSame(ids().slice(3), ['a2'], 'an end counts once');
  asked[3]?.done();
  t.strictSame(ids().slice(4), ['a3']);
  for (const { done } of asked) done();
  t.equal(turns.size, 0);
  turns.add(arrival('a@x/1', 'a4'));
  t.equal(ids().at(-1), 'a4');
});

t.test('so many are asked about at a time; clients take turns', async (t) => {
  const { turns, asked, ids } = fixture();
  for (let n = 0; n < REQUESTS_MAX; n++) turns.add(arrival(`c${n}@x/1`, `first ${n}`));
  turns.add(arrival('late@x/1', 'late 1'));
  turns.add(arrival('late@x/1', 'late 2'));
  turns.add(arrival('last@x/1', 'last'));
  t.equal(asked.length, REQUESTS_MAX);
  asked[0]?.done();
  asked[1]?.done();
  t.strictSame(ids().slice(REQUESTS_MAX), ['late 1', 'last']);
  asked[2]?.done();
  t.equal(asked.length, REQUESTS_MAX + 2, 'the client whose first is being asked about waits');
  asked[REQUESTS_MAX]?.done();
  t.equal(ids().at(-1), 'late 2');
});

t.test('of one client so many may wait', async (t) => {
  const { turns } = fixture();
  turns.add(arrival('a@x/1', 'asked'));
  for (let n = 0; n < CLIENT_WAITING_MAX; n++) t.equal(turns.add(arrival('a@x/1', 'waits')), true);
  t.equal(turns.add(arrival('a@x/1', 'too many')), false);
  t.equal(turns.add(arrival('b@x/1', 'other')), true);
});

t.test('of all clients so many may wait', async (t) => {
  const { turns } = fixture();
  for (let n = 0; n < REQUESTS_MAX + WAITING_MAX; n++) t.equal(turns.add(arrival(`c${n}@x/1`, 'x')), true);
  t.equal(turns.add(arrival('one@x/1', 'more')), false);
});

t.test('what waits may have so many bytes', async (t) => {
  const { turns } = fixture();
  const bytes = WAITING_BYTES_MAX / 4;
  for (let n = 0; n < REQUESTS_MAX; n++) turns.add(arrival(`c${n}@x/1`, 'asked'));
  for (let n = 0; n < 4; n++) t.equal(turns.add(arrival(`d${n}@x/1`, 'x', 'p.example', bytes)), true);
  t.equal(turns.add(arrival('e@x/1', 'more')), false);
});

t.test('what a client had sent before it left subscribes it no more, but only at that address', async (t) => {
  const { turns } = fixture();
  const before = ['asked', 'waits'].map((id) => arrival('a@x/1', id));
  const elsewhere = arrival('a@x/1', 'elsewhere', 'sport@push.example');
  for (const one of [...before, elsewhere]) turns.add(one);
  turns.left(address('a@x/1'), address('news@push.example'));
  const after = arrival('a@x/1', 'after');
  turns.add(after);
  t.strictSame(
    [...before, elsewhere, after].map(({ maySubscribe }) => maySubscribe),
    [false, false, true, true],
  );
});
