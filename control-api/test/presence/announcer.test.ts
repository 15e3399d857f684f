import { type Item, itemToJson } from '@holdfast/grip';
import t from 'tap';
import { type OccupancyEdge, PRESENCE_MEMBERS_MAX, Presence, silentLog } from '../../dist/index.js';
import { LocalOccupancy } from '../../dist/occupancy/local.js';
import { ANNOUNCE_MS, PresenceAnnouncer } from '../../dist/presence/announcer.js';
import { ManualClock } from '../manual-clock.js';

function announcer({
  channelNameMax = 255,
  publish,
}: {
  channelNameMax?: number;
  publish?: () => Promise<unknown>;
} = {}) {
  const clock = new ManualClock();
  const published: (readonly Item[])[] = [];
  const it = new PresenceAnnouncer({
    publish: (items) => {
      published.push(items);
      return publish?.() ?? Promise.resolve();
    },
    channelNameMax,
    clock,
    log: silentLog,
  });
  return { it, clock, published };
}

let seqs = 0;
const edge = (group: string, member: string, occupied: boolean, size: number, note?: string): OccupancyEdge => ({
  group,
  member,
  occupied,
  size,
  seq: ++seqs,
  note,
});

/** The contents of an item's formats, as publishers would write them. */
function contentsOf(item: Item | undefined): Record<string, { content?: string; body?: string }> {
  const { formats } = (item && itemToJson(item)) as { formats: Record<string, { content?: string; body?: string }> };
  return formats;
}

const bodyOf = (item: Item | undefined) => JSON.parse(contentsOf(item)['ws-message']?.content ?? 'null');

t.test('joins and leaves of a while are one item for each channel, in every format', async (t) => {
  const { it, clock, published } = announcer();
  it.onEdges([edge('room', 'a', true, 1, 'Ann'), edge('other', 'x', true, 1)]);
  it.onEdges([edge('room', 'b', true, 2), edge('room', 'c', true, 3), edge('room', 'c', false, 2)]);
  clock.advance(ANNOUNCE_MS - 1);
  t.strictSame(published, []);
  clock.advance(1);
  t.equal(published.length, 1);
  const [[room, other] = []] = published;
  t.equal(room?.channel, 'room$presence');
  t.equal(other?.channel, 'other$presence');
  const body = bodyOf(room);
  t.match(body, {
    type: 'presence',
    channel: 'room',
    users: 2,
    join: [
      { user: 'a', info: 'Ann' },
      { user: 'b', info: undefined },
    ],
    leave: [{ user: 'c' }],
  });
  t.equal(body.seq, body.leave[0].seq);
  const line = `${JSON.stringify(body)}\n`;
  t.match(contentsOf(room), { 'http-stream': { content: line }, 'http-response': { body: line } });
});

t.test('of a channel with more members than are listed there are counts only, as of too many changes', async (t) => {
  const { it, clock, published } = announcer();
  it.onEdges([edge('big', 'a', true, PRESENCE_MEMBERS_MAX + 1)]);
  const gone = Array.from({ length: 10_000 }, (_, i) => edge('emptied', `u${i}`, false, 9_999 - i));
  for (let i = 0; i < gone.length; i += 500) it.onEdges(gone.slice(i, i + 500));
  clock.advance(ANNOUNCE_MS);
  const items = published.flat();
  t.equal(items.length, 2);
  t.match(bodyOf(items[0]), { users: PRESENCE_MEMBERS_MAX + 1, capped: true, joined: 1, left: 0 });
  t.match(bodyOf(items[1]), { channel: 'emptied', users: 0, capped: true, joined: 0, left: 10_000 });
  t.notOk('leave' in bodyOf(items[1]));
});

t.test(
  'a channel whose name leaves no room for the suffix has no items, and does not keep others from theirs',
  async (t) => {
    const { it, clock, published } = announcer({ channelNameMax: 12 });
    it.onEdges([edge('long', 'a', true, 1), edge('abc', 'a', true, 1)]);
    clock.advance(ANNOUNCE_MS);
    t.strictSame(
      published.flat().map(({ channel }) => channel),
      ['abc$presence'],
    );
    const unlimited = announcer({ channelNameMax: Number.POSITIVE_INFINITY });
    unlimited.it.onEdges([edge('x'.repeat(1_020), 'a', true, 1)]);
    unlimited.clock.advance(ANNOUNCE_MS);
    t.strictSame(unlimited.published, []);
  },
);

t.test('what cannot be published is lost, and what follows is not', async (t) => {
  const { it, clock, published } = announcer({ publish: () => Promise.reject(new Error('away')) });
  it.onEdges([edge('room', 'a', true, 1)]);
  clock.advance(ANNOUNCE_MS);
  it.onEdges([edge('room', 'a', false, 0)]);
  clock.advance(ANNOUNCE_MS);
  t.equal(published.length, 2);
});

t.test('the presence of a node is still until a member comes, and publishes what it has at its end', async (t) => {
  const clock = new ManualClock();
  const published: Item[] = [];
  const presence = new Presence({
    occupancy: new LocalOccupancy({ clock, delay: 1_000 }),
    publish: async (items) => published.push(...items),
    channelNameMax: 255,
    clock,
    log: silentLog,
  });
  presence.leave('room', 'a');
  t.equal(clock.pending, 0);
  const share = presence.share();
  share.enter('room', 'a', 'Ann');
  clock.advance(20);
  await presence.close();
  t.match(bodyOf(published[0]), { join: [{ user: 'a', info: 'Ann' }] });
  presence.start();
  await presence.close();
  t.equal(clock.pending, 0);
});
