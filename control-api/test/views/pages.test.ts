/** Pages of lists that several nodes have parts of: merged in order, nothing twice, nothing left out. */
import t from 'tap';
import type { ConnectionView } from '../../dist/index.js';
import {
  channelRows,
  connectionRows,
  mergeConnectionAnswers,
  readChannelPage,
  readConnectionPage,
  readOrderResult,
  readSubscribeResult,
} from '../../dist/views/connection-answers.js';
import { cursorOf, mergePages, readCursor } from '../../dist/views/pages.js';

const rest = { kind: 'ws', client: '', since: '', channels: [], items: 0, waiting: 0 } as const;
const connection = (id: string): ConnectionView => ({ id, ...rest });
const page = (ids: string, more = false) => ({ rows: [...ids].map(connection), more });
const ids = ({ rows, more }: { rows: readonly { id: string }[]; more: boolean }) =>
  rows.map(({ id }) => id).join('') + (more ? '…' : '');
const merged = (limit: number, ...pages: ReturnType<typeof page>[]) => ids(mergePages(pages, limit, connectionRows));

t.test('rows of several pages come in order, as many as there may be', async (t) => {
  t.equal(merged(9), '');
  t.equal(merged(9, page('ace'), page('bd')), 'abcde');
  t.equal(merged(5, page('ace'), page('bd')), 'abcde');
  t.equal(merged(4, page('ace'), page('bd')), 'abcd…');
});

t.test('what is behind the end of a page that has more waits: that page may have rows before it', async (t) => {
  t.equal(merged(9, page('ac', true), page('bdx')), 'abc…');
  t.equal(merged(9, page('ac', true), page('b', true)), 'ab…');
  t.equal(merged(2, page('ac', true), page('bdx')), 'ab…');
});

t.test('by its pages a list of several nodes is had whole and once, whatever the limits are', async (t) => {
  const nodes = ['adgjmpsvy', 'behk', 'cfilnoqrtuwxz', ''];
  for (const limit of [1, 2, 3, 7, 26, 40]) {
    let [shown, after, pages] = ['', '', 0];
    for (let more = true; more; pages++) {
      const parts = nodes.map((node, n) => {
        const rest = [...node].filter((id) => id > after);
        // Nodes may end a page before its limit.
        const size = Math.max(1, limit - n);
        return page(rest.slice(0, size).join(''), rest.length > size);
      });
      const answer = mergePages(parts, limit, connectionRows);
      t.ok(answer.rows.length <= limit && answer.rows.length > 0);
      shown += answer.rows.map(({ id }) => id).join('');
      after = shown.at(-1) as string;
      more = answer.more;
    }
    t.equal(shown, 'abcdefghijklmnopqrstuvwxyz', `${limit} at a time, ${pages} pages`);
  }
});

t.test('a channel of several nodes is one row with the sum of its subscribers', async (t) => {
  const row = (channel: string, stream: number) => ({
    channel,
    subscribers: { response: 1, stream, ws: 0, callback: 0, xmpp: 0 },
  });
  t.strictSame(
    mergePages(
      [
        { rows: [row('a', 1), row('b', 2)], more: false },
        { rows: [row('b', 5)], more: false },
      ],
      10,
      channelRows,
    ).rows,
    [row('a', 1), { channel: 'b', subscribers: { response: 2, stream: 7, ws: 0, callback: 0, xmpp: 0 } }],
  );
});

t.test('what is no page, no row and no result is not read as one', async (t) => {
  const bad = [null, 1, 'x', [], {}, { rows: [] }, { rows: {}, more: false }, { rows: [1], more: false }];
  for (const answer of [...bad, { rows: [], more: true }]) {
    t.equal(readConnectionPage(answer), undefined);
    t.equal(readChannelPage(answer), undefined);
  }
  t.equal(
    readChannelPage({ rows: [{ channel: 'a', subscribers: { response: -1, stream: 0, ws: 0 } }], more: false }),
    undefined,
  );
  const taken = { response: 0, stream: 0, ws: 0, callback: 0, xmpp: 0 };
  for (const answer of [null, true, {}, { known: 'perhaps', connections: 1, taken }, { known: 'here', connections: 1 }])
    t.equal(readOrderResult(answer), undefined);
  for (const answer of [null, {}, { known: 'x' }]) t.equal(readSubscribeResult(answer), undefined);
  t.strictSame(readSubscribeResult({ known: 'here', channels: [1] }), { known: 'here' });
});

t.test('the processes of a node answer as one', async (t) => {
  const merge = mergeConnectionAnswers;
  const list = { about: 'connections', limit: 2 } as const;
  t.equal(ids(merge(list, [page('ac'), 'odd', page('b')]) as ReturnType<typeof page>), 'ab…');
  t.strictSame(merge({ about: 'channels', prefix: '', limit: 1 }, []), { rows: [], more: false });
  const deliver = { about: 'deliver', to: { user: 'u' }, item: {} } as const;
  const result = (known: string, stream: number) => ({
    known,
    connections: stream,
    taken: { response: 0, stream, ws: 0, callback: 0, xmpp: 0 },
  });
  t.strictSame(merge(deliver, [result('ended', 0), result('here', 2), null, result('here', 3)]), result('here', 5));
  t.strictSame(merge(deliver, [result('ended', 0), result('never', 0)]), result('ended', 0));
  t.strictSame(merge(deliver, []), result('never', 0));
  const subscribe = { about: 'subscribe', id: 'x', channels: ['a'], isOn: true } as const;
  t.strictSame(merge(subscribe, [{ known: 'never' }, { known: 'here', channels: ['a'] }]), {
    known: 'here',
    channels: ['a'],
  });
  t.strictSame(merge(subscribe, [{ known: 'never' }, { known: 'here', refused: 'full' }]), {
    known: 'here',
    refused: 'full',
  });
  t.strictSame(merge(subscribe, []), { known: 'never' });
});

t.test('a cursor is what it was made of, and nothing else is one', async (t) => {
  for (const key of ['a', 'a81f02-3k', 'news/ünï 💥?&=']) t.equal(readCursor(cursorOf(key)), key);
  for (const text of ['', '=', 'a', '!!', 'YQ==', ' YQ', '_w', cursorOf('x'.repeat(1_025))])
    t.equal(readCursor(text), undefined);
});
