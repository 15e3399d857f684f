import t from 'tap';
import { startFeed } from './feed-fixture.js';

const http = { id: 'h:1', type: 'http', route: '', peerAddress: '127.0.0.1', ssl: false } as const;
const ws = { id: 'uuid', type: 'ws', route: 'r', peerAddress: '::1', ssl: true } as const;

t.test('a packet is its type, a space, T and a tnetstring; or J and compact JSON with sorted keys', async (t) => {
  const tnet = startFeed();
  tnet.feed.subscribers('stream', 'c', 1);
  t.equal(String(tnet.raw[0]), 'sub T76:7:channel,1:c,4:from,6:test_1,4:mode,6:stream,11:subscribers,1:1#3:ttl,2:60#}');
  const json = startFeed({ statsFormat: 'json' });
  json.feed.subscribers('stream', 'c', 1);
  t.equal(String(json.raw[0]), 'sub J{"channel":"c","from":"test_1","mode":"stream","subscribers":1,"ttl":60}');
});

t.test('activity and counts: sums, a tenth of a second after the first request', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.requested('');
  feed.requested('r');
  feed.requested('r');
  feed.active('r', 5);
  clock.advance(99);
  t.same(sent(), []);
  clock.advance(1);
  t.same(sent(), [
    ['activity', { count: 1 }],
    ['activity', { count: 7, route: 'r' }],
    ['counts', { 'requests-received': 3 }],
  ]);
  feed.active('');
  clock.advance(100);
  t.same(sent(), [['activity', { count: 1 }]], 'no request, no counts');
  clock.advance(1000);
  t.same(sent(), []);
});

t.test('message: at once, for each kind of subscriber that received the item', async (t) => {
  const { feed, sent } = startFeed();
  feed.delivered({ channel: 'c', itemId: 'i1', transport: 'http-stream', receivers: 2 });
  feed.delivered({ channel: 'c', itemId: undefined, transport: 'ws-message', receivers: 1, blocks: 3 });
  feed.delivered({ channel: 'c', itemId: 'i1', transport: 'http-response', receivers: 0 });
  t.same(sent(), [
    ['message', { channel: 'c', 'item-id': 'i1', count: 2, transport: 'http-stream' }],
    ['message', { channel: 'c', count: 1, blocks: 3, transport: 'ws-message' }],
  ]);
});

t.test('conn: when it comes, again before the announcement expires, and when it goes', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.connected(http);
  feed.connected(ws);
  const announced = [
    ['conn', { id: 'h:1', 'peer-address': '127.0.0.1', ttl: 120, type: 'http' }],
    ['conn', { id: 'uuid', 'peer-address': '::1', route: 'r', ssl: true, ttl: 120, type: 'ws' }],
  ];
  t.same(sent('conn'), announced);
  clock.advance(119_000);
  t.same(sent('conn').slice(0, 2), announced);
  feed.disconnected('h:1');
  feed.disconnected('h:1');
  feed.disconnected('uuid');
  t.same(sent('conn'), [
    ['conn', { id: 'h:1', unavailable: true }],
    ['conn', { id: 'uuid', route: 'r', unavailable: true }],
  ]);
  clock.advance(600_000);
  t.same(sent('conn'), [], 'nothing is said of what has gone');
});

t.test('conn: a known connection is announced again, and counted once', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.connected(http);
  feed.connected(http);
  t.equal(sent('conn').length, 2);
  clock.advance(10_000);
  t.match(sent('report'), [['report', { connections: 1, minutes: 1 }]]);
});

t.test('conn-max instead of conn: the highest number per route, refreshed, and 0 at the end', async (t) => {
  const { feed, clock, sent } = startFeed({ statsConnectionSend: false });
  feed.connected(http);
  feed.connected({ ...http, id: 'h:2' });
  feed.connected(ws);
  feed.disconnected('h:2');
  t.same(sent('conn'), []);
  clock.advance(100);
  t.same(sent('conn-max'), [
    ['conn-max', { max: 2, ttl: 60 }],
    ['conn-max', { max: 1, route: 'r', ttl: 60 }],
  ]);
  clock.advance(24_000);
  t.same(sent('conn-max'), [
    ['conn-max', { max: 1, ttl: 60 }],
    ['conn-max', { max: 1, route: 'r', ttl: 60 }],
  ]);
  feed.disconnected('h:1');
  feed.disconnected('uuid');
  clock.advance(60_000);
  t.same(sent('conn-max').slice(-2), [
    ['conn-max', { max: 0, ttl: 60 }],
    ['conn-max', { max: 0, route: 'r', ttl: 60 }],
  ]);
  clock.advance(600_000);
  t.same(sent('conn-max'), []);
});

t.test('sub: the first and the last at once, other numbers in batches, and refreshed', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.subscribers('response', 'c', 1);
  feed.subscribers('ws', 'c', 1);
  feed.subscribers('ws', 'c', 2);
  feed.subscribers('ws', 'c', 3);
  t.same(sent(), [
    ['sub', { channel: 'c', mode: 'response', subscribers: 1, ttl: 60 }],
    ['sub', { channel: 'c', mode: 'ws', subscribers: 1, ttl: 60 }],
  ]);
  clock.advance(100);
  t.same(sent('sub'), [['sub', { channel: 'c', mode: 'ws', subscribers: 3, ttl: 60 }]]);
  clock.advance(59_000);
  const refreshed = sent('sub');
  t.ok(refreshed.some(([, { mode, subscribers }]) => mode === 'response' && subscribers === 1));
  t.ok(refreshed.some(([, { mode, subscribers }]) => mode === 'ws' && subscribers === 3));
  feed.subscribers('ws', 'c', 4);
  feed.subscribers('ws', 'c', 0);
  feed.subscribers('ws', 'never', 0);
  t.same(sent('sub'), [['sub', { channel: 'c', mode: 'ws', unavailable: true }]]);
  clock.advance(100);
  t.same(sent('sub'), [], 'a change that was put off does not bring it back');
});

const zeros = {
  received: 0,
  sent: 0,
  'http-response-sent': 0,
  'client-header-bytes-received': 0,
  'client-header-bytes-sent': 0,
  'server-header-bytes-received': 0,
  'server-header-bytes-sent': 0,
  'client-content-bytes-received': 0,
  'client-content-bytes-sent': 0,
  'server-content-bytes-received': 0,
  'server-content-bytes-sent': 0,
  'client-messages-received': 0,
  'client-messages-sent': 0,
  'server-messages-received': 0,
  'server-messages-sent': 0,
};

t.test('report: per route and interval, with a last one of zeros when the route falls silent', async (t) => {
  const { feed, clock, sent } = startFeed();
  clock.advance(4_000);
  feed.counted('', { received: 3 });
  feed.counted('r', { sent: 2, 'client-content-bytes-sent': 10 });
  feed.counted('r', { sent: 1, 'http-response-sent': 1 });
  clock.advance(6_000);
  t.same(sent('report'), [
    ['report', { ...zeros, received: 3, connections: 0, minutes: 0, duration: 6_000 }],
    [
      'report',
      {
        ...zeros,
        route: 'r',
        sent: 3,
        'http-response-sent': 1,
        'client-content-bytes-sent': 10,
        connections: 0,
        minutes: 0,
        duration: 6_000,
      },
    ],
  ]);
  clock.advance(10_000);
  t.same(sent('report'), [
    ['report', { ...zeros, connections: 0, minutes: 0, duration: 10_000 }],
    ['report', { ...zeros, route: 'r', connections: 0, minutes: 0, duration: 10_000 }],
  ]);
  clock.advance(60_000);
  t.same(sent('report'), []);
});

t.test('report: connections are the highest number in the interval, minutes every begun one', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.connected(ws);
  feed.connected({ ...ws, id: 'other' });
  feed.disconnected('other');
  clock.advance(10_000);
  t.match(sent('report'), [['report', { route: 'r', connections: 2, minutes: 2 }]]);
  clock.advance(40_000);
  t.equal(sent('report').filter(([, { connections, minutes }]) => connections === 1 && minutes === 0).length, 4);
  clock.advance(10_000);
  t.match(sent('report'), [['report', { connections: 1, minutes: 1 }]], 'the second minute begins');
});

t.test('report: blocks are there only where they are counted', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.counted('', { 'blocks-received': 2, 'blocks-sent': 4 });
  clock.advance(10_000);
  t.match(sent('report'), [['report', { 'blocks-received': 2, 'blocks-sent': 4 }]]);
});

t.test('what nobody listens to is not made', async (t) => {
  const { feed, clock, sent } = startFeed({ types: ['sub'] });
  feed.requested('');
  feed.connected(http);
  feed.subscribers('ws', 'c', 1);
  feed.delivered({ channel: 'c', itemId: '1', transport: 'ws-message', receivers: 1 });
  clock.advance(10_000);
  t.same(
    sent().map(([type]) => type),
    ['sub'],
  );
});

t.test('a closed feed is silent and leaves no timer', async (t) => {
  const { feed, clock, sent } = startFeed();
  feed.requested('');
  feed.connected(http);
  feed.subscribers('ws', 'c', 1);
  sent();
  feed.close();
  t.equal(clock.pending, 0);
  clock.advance(600_000);
  t.same(sent(), []);
});

t.test('a time to live of 0 is announced once and not refreshed', async (t) => {
  const { feed, clock, sent } = startFeed({ statsConnectionTtl: 0, statsSubscriptionTtl: 0 });
  feed.connected(http);
  feed.subscribers('ws', 'c', 1);
  clock.advance(600_000);
  t.equal(sent().filter(([type]) => type === 'conn' || type === 'sub').length, 2);
});
