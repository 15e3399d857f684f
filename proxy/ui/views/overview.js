/** What all nodes are, and what the one that is asked does. */
import { ask, metricsText } from '../api.js';
import { TimeChart } from '../chart.js';
import { count, duration, el, table, tile } from '../dom.js';
import { Reading } from '../metrics.js';
import { every } from '../poll.js';

/** Between two readings, in ms. */
const EVERY_MS = 2_000;

/** @type {import('../main.js').View} */
export async function overview(main, { signal }) {
  const nodes = el('div');
  const tiles = el('div', { class: 'tiles' });
  const ended = el('div');
  const charts = {
    items: new TimeChart('Items a second', ['in', 'out'], count, signal),
    delivery: new TimeChart('Delivery, from arrival to the last write', ['p50', 'p95', 'p99'], duration, signal),
    holds: new TimeChart('Clients that are held', ['long polls', 'streams', 'WebSockets'], count, signal),
    requests: new TimeChart('Requests a second', ['requests', 'failed'], count, signal),
  };
  main.append(
    el('h2', {}, 'Nodes'),
    nodes,
    el('h2', {}, 'This node'),
    tiles,
    el(
      'div',
      { class: 'charts' },
      Object.values(charts).map(({ element }) => element),
    ),
    el('h2', {}, 'What has ended, and what was not delivered'),
    ended,
    el('p', { class: 'note' }, 'Since the start of this node. The other nodes have pages of their own.'),
  );
  /** @type {Reading | undefined} */
  let before;
  await every(EVERY_MS, main, signal, async () => {
    const [known, text] = await Promise.all([ask('nodes', { signal }), metricsText(signal)]);
    const now = new Reading(text, Date.now());
    nodes.replaceChildren(nodeTable(known));
    tiles.replaceChildren(...tilesOf(now, before));
    ended.replaceChildren(endedTable(now));
    draw(charts, now, before);
    before = now;
  });
}

/** @param {any} known */
function nodeTable({ nodes, silent, trouble }) {
  const rows = nodes.map((/** @type {any} */ node) => [
    el('code', { class: 'id' }, node.id.slice(0, 8)),
    `${node.host} (${node.pid})`,
    node.version,
    node.workers,
    node.connections,
    node.channels,
    duration((Date.now() - Date.parse(node.started)) / 1_000),
    silent.includes(node.id) ? el('span', { class: 'bad' }, 'silent') : `${duration(node.age / 1_000)} ago`,
  ]);
  const heads = [
    'node',
    'machine (process)',
    'version',
    'workers',
    'connections',
    'channels',
    'up for',
    'last heartbeat',
  ];
  return el('div', {}, table(heads, rows), trouble && el('p', { class: 'bad' }, trouble));
}

/** @param {Reading} now @param {Reading | undefined} before */
function tilesOf(now, before) {
  const isAway = now.sum('redis_away') > 0;
  // The metric of Redis that is there only with Redis.
  const hasRedis = isAway || now.sum('backplane_lag_seconds_count') > 0;
  const isDraining = now.sum('draining') > 0;
  return [
    tile(count(now.sum('connections')), 'connections'),
    tile(count(now.sum('holds', { kind: 'response' })), 'long polls'),
    tile(count(now.sum('holds', { kind: 'stream' })), 'streams'),
    tile(count(now.sum('holds', { kind: 'ws' })), 'WebSockets'),
    tile(count(now.rate('items_received_total', before)), 'items in, a second'),
    tile(count(now.rate('items_sent_total', before)), 'items out, a second'),
    tile(duration(now.quantile('delivery_seconds', 0.99, before)), 'delivery, p99'),
    hasRedis && tile(duration(now.quantile('backplane_lag_seconds', 0.99, before)), 'behind Redis, p99'),
    tile(size(now.sum('queue_bytes')), 'wait for slow clients'),
    hasRedis && tile(isAway ? 'away' : 'there', 'Redis', isAway ? 'bad' : 'good'),
    tile(isDraining ? 'draining' : 'serving', 'state', isDraining ? 'bad' : 'good'),
  ].filter(Boolean);
}

/** @param {Record<'items' | 'delivery' | 'holds' | 'requests', TimeChart>} charts @param {Reading} now @param {Reading | undefined} before */
function draw({ items, delivery, holds, requests }, now, before) {
  const rates = (/** @type {readonly string[]} */ names) => names.map((name) => now.rate(name, before));
  const held = ['response', 'stream', 'ws'].map((kind) => now.sum('holds', { kind }));
  items.add(now.at, rates(['items_received_total', 'items_sent_total']));
  delivery.add(
    now.at,
    [0.5, 0.95, 0.99].map((q) => (before === undefined ? Number.NaN : now.quantile('delivery_seconds', q, before))),
  );
  holds.add(now.at, held);
  requests.add(now.at, rates(['requests_total', 'request_errors_total']));
}

/** @param {Reading} now */
function endedTable(now) {
  const rows = [
    ['ended', 'holds_ended_total'],
    ['item not delivered', 'items_dropped_total'],
    ['gap', 'gaps_total'],
    ['Close sent', 'closes_sent_total'],
    ['request failed', 'request_errors_total'],
    ['publish refused', 'publish_rejected_total'],
    ['origin failed', 'origin_errors_total'],
    ['limit', 'limited_total'],
  ].flatMap(([what = '', name = '']) =>
    now
      .all(name)
      .map(({ labels, value }) => [what, labels.kind ?? '', labels.reason ?? labels.code ?? labels.limit ?? '', value]),
  );
  const some = rows.filter(([, , , value]) => Number(value) > 0).sort((a, b) => Number(b[3]) - Number(a[3]));
  return table(['what', 'kind', 'reason', 'how many'], some, 'Nothing yet.');
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1_024) return `${count(bytes)} B`;
  return bytes < 1_048_576 ? `${count(bytes / 1_024)} KiB` : `${count(bytes / 1_048_576)} MiB`;
}
