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
  ...Object.values(edges).flatMap((edge) => [
    absolute('publish', 'batchUs', edge, 10),
    ...Object.entries(fanOut).map(([work, key]) => ratio(work, key, edge, 'pushpin', 0.2)),
    absolute('bursts-streams', 'share', edge, 0.35),
    absolute('bursts-websockets', 'share', edge, 0.35),
    absolute('streams', 'idleKb', edge, edge === edges.uws ? 2.5 : 10),
    absolute('polls', 'idleKb', edge, edge === edges.uws ? 2.5 : 10),
    absolute('websockets', 'idleKb', edge, edge === edges.uws ? 2.5 : 9),
    ...['streams', 'websockets', 'polls'].map((work) => ratio(work, 'openUs', edge, 'pushpin', 0.3)),
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
    ...['drain-haproxy', 'drain-nginx'].flatMap((work) => [
      absolute(work, 'ratio', edge, 1.5),
      absolute(work, 'beyondS', edge, 6),
    ]),
  ]),
];

/** @param {readonly import('./table.mjs').RunRecord[]} records @returns {string[]} one line for each goal whose figures the run has */
export function goalLines(records) {
  const summary = new Summary(records);
  return goals.flatMap(({ text, value, most, least }) => {
    const is = value(summary);
    if (is === undefined) return [];
    const isMet = is <= (most ?? Number.POSITIVE_INFINITY) && is >= (least ?? Number.NEGATIVE_INFINITY);
    const bound = most === undefined ? `at least ${least}` : `at most ${most}`;
    return [`${isMet ? 'met ' : 'MISS'}  ${text}: ${is.toFixed(2)} (${bound})`];
  });
}
