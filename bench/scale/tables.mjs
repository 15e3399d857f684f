// The tables of docs/scaling.md, made of the JSON of a run.

/** @typedef {import('./run.mjs').Result} Result */

/** @param {number | undefined} value @param {number} [digits] */
function number(value, digits = 0) {
  if (value === undefined || !Number.isFinite(value)) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const seconds = (/** @type {number | undefined} */ ms) => number(ms === undefined ? undefined : ms / 1_000, 2);
const percent = (/** @type {number} */ share) => number(share * 100, 1);
const megabytes = (/** @type {number} */ bytes) => number(bytes / 2 ** 20, 1);

/** A table has a row for each figure and a column for each run. @type {ReadonlyArray<{ title: string, rows: ReadonlyArray<readonly [string, (result: Result) => string]> }>} */
const blocks = [
  {
    title: 'All clients come',
    rows: [
      ['subscriptions at Redis', ({ subscriptions }) => number(subscriptions)],
      ['all are live after, s', ({ opened }) => seconds(opened.ms)],
      [
        'Redis busy meanwhile, % of a core, each',
        ({ opened, plan }) => percent(opened.redisMs / opened.ms / plan.shards),
      ],
      ['longest wait of a command, ms', ({ opened }) => number(opened.longestWaitMs, 1)],
    ],
  },
  {
    title: 'Items',
    rows: [
      ['nodes with subscribers, per item', ({ published }) => number(published.nodesPerItem, 2)],
      ['messages from Redis to nodes, per item', ({ published }) => number(published.pushesPerItem, 2)],
      ['commands to Redis, per item', ({ published }) => number(published.commandsPerItem, 2)],
      ['CPU of Redis, µs per item', ({ published }) => number(published.redisUsPerItem, 1)],
      ['from publish to a node, p50, ms', ({ published }) => number(published.p50Ms, 2)],
      ['the same, p99, ms', ({ published }) => number(published.p99Ms, 2)],
    ],
  },
  {
    title: 'Nothing is published: the checks of positions',
    rows: [
      ['Redis busy, % of a core, each', ({ rested }) => percent(rested.redisShare)],
      ['longest wait of a command, ms', ({ rested }) => number(rested.longestWaitMs, 1)],
    ],
  },
  {
    title: 'Redis cuts the connections of all subscribers, while items are published',
    rows: [
      ['half of the channels live after, s', ({ cut }) => seconds(cut.liveMs.half)],
      ['99 %, s', ({ cut }) => seconds(cut.liveMs.most)],
      ['all, s', ({ cut }) => seconds(cut.liveMs.all)],
      ['items read from the history, in reads', ({ cut }) => number(cut.reads)],
      ['commands without answer in time', ({ cut }) => number(cut.timeouts)],
      ['accepted items that a client lacks', ({ afterCut }) => number(afterCut.problems.length + afterCut.lostItems)],
    ],
  },
  {
    title: 'A master crashes; times are from when its replica has taken over',
    rows: [
      ['subscriptions concerned', ({ failed }) => number(failed.subscriptions)],
      ['first publish accepted after, s', ({ failed }) => seconds(failed.publishedAgainMs)],
      ['half of the channels live after, s', ({ failed }) => seconds(failed.liveMs.half)],
      ['99 %, s', ({ failed }) => seconds(failed.liveMs.most)],
      ['all, s', ({ failed }) => seconds(failed.liveMs.all)],
      ['last history read, s', ({ failed }) => seconds(failed.lastReadMs)],
      ['longest wait of a command, ms', ({ failed }) => number(failed.longestWaitMs, 1)],
      ['commands without answer in time', ({ failed }) => number(failed.timeouts)],
      ['connections given up', ({ failed }) => number(failed.lost)],
      ['most on its way on a connection, MiB', ({ failed }) => megabytes(failed.mostUnread)],
      [
        'publishes refused, of all',
        ({ failed }) => `${number(failed.refused)} of ${number(failed.refused + failed.accepted)}`,
      ],
      [
        'accepted items that the replica lacked and no node had',
        ({ afterFailover }) => number(afterFailover.lostItems),
      ],
      ['items in gaps that nodes reported', ({ afterFailover }) => number(afterFailover.gapItems)],
      ['other items that a client lacks', ({ afterFailover }) => number(afterFailover.problems.length)],
    ],
  },
];

/** @param {readonly Result[]} results @returns {string} as Markdown */
export function tables(results) {
  const head = results.map(({ plan }) => {
    const redis = plan.shards === 1 ? 'one Redis' : `${plan.shards} masters`;
    return `${number(plan.holds)} holds, ${number(plan.channels)} channels, ${plan.spread}, ${redis}`;
  });
  return blocks
    .map(({ title, rows }) =>
      [
        `**${title}**`,
        '',
        `| | ${head.join(' | ')} |`,
        `| --- |${' ---: |'.repeat(results.length)}`,
        ...rows.map(([name, value]) => `| ${name} | ${results.map(value).join(' | ')} |`),
        '',
      ].join('\n'),
    )
    .join('\n');
}
