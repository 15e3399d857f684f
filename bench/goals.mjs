// What Holdfast's figures are to be beside the others', in one run, and whether they are.
import { Summary } from './table.mjs';

/**
 * @typedef {object} Goal
 * @property {string} text
 * @property {(summary: Summary) => number | undefined} value
 * @property {number} [most]
 * @property {number} [least]
 */

const edges = { uws: 'holdfast-uws', node: 'holdfast-node' };
const fanOut = { streams: 'deliveryUs', websockets: 'deliveryUs' };

/** @param {string} work @param {string} key @param {string} target @param {string} baseline @param {number} most @returns {Goal} */
function ratio(work, key, target, baseline, most) {
  return {
    text: `${work}: ${key} of ${target} ÷ ${baseline}`,
    value: (summary) => summary.ratio(work, key, target, baseline),
    most,
  };
}

/** @param {string} work @param {string} key @param {string} target @param {number} most @returns {Goal} */
function absolute(work, key, target, most) {
  return { text: `${work}: ${key} of ${target}`, value: (summary) => summary.value(work, target, key), most };
}

/** What one work costs beside another, with the same target. @param {[work: string, key: string]} of @param {[work: string, key: string]} beside @param {string} target @param {number} most @returns {Goal} */
function beside([work, key], [other, otherKey], target, most) {
  return {
    text: `${work}: ${key} of ${target} ÷ ${otherKey} of ${other}`,
    value: (summary) => {
      const [is, base] = [summary.value(work, target, key), summary.value(other, target, otherKey)];
      return is === undefined || base === undefined || base <= 0 ? undefined : is / base;
    },
    most,
  };
}

/** @param {string} work @param {string} key @param {string} target @param {number} bound @returns {Goal} */
function least(work, key, target, bound) {
  return { text: `${work}: ${key} of ${target}`, value: (summary) => summary.value(work, target, key), least: bound };
}

/** @type {Goal[]} */
const goals = [
  ratio('streams', 'deliveryUs', edges.uws, 'limit', 1.35),
  ratio('streams', 'deliveryUs', edges.node, 'nchan', 1.1),
  ratio('websockets', 'deliveryUs', edges.uws, 'limit', 1.35),
  ratio('websockets', 'deliveryUs', edges.node, 'nchan', 1.3),
  ratio('publish', 'singleUs', edges.node, 'pushpin', 0.6),
  ratio('publish', 'singleUs', edges.uws, 'nchan', 1.3),
  ratio('pass-small', 'requestUs', edges.uws, 'nginx', 2),
  ratio('pass-small', 'requestUs', edges.node, 'nginx', 2.6),
  ...['tls-streams', 'tls-websockets'].flatMap((work) => [
    absolute(work, 'idleKb', edges.node, 20),
    ratio(work, 'deliveryUs', edges.node, 'nchan', 1.5),
    ratio(work, 'openUs', edges.node, 'nchan', 2),
    ratio(work, 'resumeUs', edges.node, 'nchan', 2),
    ratio(work, 'deliveryUs', edges.uws, 'nchan', 1.1),
  ]),
  ...Object.values(edges).flatMap((edge) => [
    ratio('echo-socket', 'echoUs', edge, 'nginx', 1.6),
    absolute('publish', 'batchUs', edge, 10),
    ...Object.entries(fanOut).map(([work, key]) => ratio(work, key, edge, 'pushpin', 0.2)),
    absolute('bursts-streams', 'share', edge, 0.35),
    absolute('bursts-websockets', 'share', edge, 0.35),
    absolute('streams', 'idleKb', edge, edge === edges.uws ? 1.5 : 4),
    absolute('polls', 'idleKb', edge, edge === edges.uws ? 2.5 : 10),
    absolute('websockets', 'idleKb', edge, edge === edges.uws ? 1.5 : 4),
    absolute('idle-streams', 'rssMb', edge, edge === edges.uws ? 82 : 75),
    absolute('idle-streams', 'cpuPercent', edge, 0.2),
    absolute('idle-streams', 'startMs', edge, 500),
    absolute('idle-streams', 'grownMb', edge, 20),
    absolute('idle-websockets', 'grownMb', edge, 20),
    ...['streams', 'websockets', 'polls'].map((work) => ratio(work, 'openUs', edge, 'pushpin', 0.3)),
    beside(['cold-streams', 'openUs'], ['pass-small', 'requestUs'], edge, 2.5),
    beside(['cold-websockets', 'openUs'], ['pass-small', 'requestUs'], edge, 3.5),
    ratio('cold-streams', 'openUs', edge, 'pushpin', 0.15),
    ratio('cold-websockets', 'openUs', edge, 'pushpin', 0.12),
    absolute('reconnect-streams', 'lastS', edge, 3),
    absolute('reconnect-websockets', 'lastS', edge, 3),
    absolute('tokens-streams', 'backS', edge, 3),
    absolute('tokens-websockets', 'backS', edge, 3),
    ratio('polls', 'deliveryUs', edge, 'nchan', 1.5),
    ...['pass-small', 'pass-large', 'pass-upload'].flatMap((work) => [
      ratio(work, 'requestUs', edge, 'pushpin', 0.2),
      ratio(work, 'requestUs', edge, 'http-proxy', 1),
    ]),
    absolute('latency', 'p50Us', edge, 1_000),
    absolute('redis-latency', 'p50Us', edge, 2_000),
    // 0.8 of what a publish without Redis may cost and 15 µs.
    absolute('redis-publish', 'askedUs', edge, 53),
    absolute('redis-publish', 'deliveringUs', edge, 15),
    absolute('redis-publish', 'redisUs', edge, 18),
    absolute('redis-publish', 'batchRedisUs', edge, 10),
    least('redis-publish', 'perSecond', edge, 30_000),
    absolute('ack', 'drift', edge, 1.5),
    absolute('ack', 'halfP99Us', edge, 3_000),
    absolute('keys', 'keyRatio', edge, 1.1),
    absolute('keys', 'tokenRatio', edge, 1.1),
    ...['relayRatio', 'openRatio', 'publishRatio'].map((key) => absolute('workers', key, edge, 1.1)),
    absolute('workers', 'balance', edge, 1.15),
    absolute('hundred-thousand', 'lastMs', edge, 850),
    ratio('hundred-thousand', 'lastMs', edge, 'limit', 1.2),
    absolute('hundred-thousand', 'openSeconds', edge, 15),
    ...['tails', 'tails-deaf'].flatMap((work) => [
      ratio(work, 'p99Ms', edge, 'nchan', 1.2),
      ratio(work, 'p999Ms', edge, 'nchan', 1.5),
    ]),
    ...['drain-haproxy', 'drain-nginx'].flatMap((work) => [
      absolute(work, 'ratio', edge, 1.5),
      absolute(work, 'beyondS', edge, 6),
    ]),
  ]),
];

/** @typedef {{ readonly isMet: boolean, readonly line: string }} GoalResult */

/** @param {readonly import('./table.mjs').RunRecord[]} records @returns {GoalResult[]} of each goal whose figures the run has */
export function goalResults(records) {
  const summary = new Summary(records);
  return goals.flatMap(({ text, value, most, least }) => {
    const is = value(summary);
    if (is === undefined) return [];
    const isMet = is <= (most ?? Number.POSITIVE_INFINITY) && is >= (least ?? Number.NEGATIVE_INFINITY);
    const bound = most === undefined ? `at least ${least}` : `at most ${most}`;
    return [{ isMet, line: `${isMet ? 'met ' : 'MISS'}  ${text}: ${is.toFixed(2)} (${bound})` }];
  });
}
