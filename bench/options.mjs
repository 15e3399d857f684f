// The options of a run, their defaults and what --smoke makes of them.
import { parseArgs } from 'node:util';
import { parts, targets, usualParts } from './catalog.mjs';

/** One more part, which has a run of its own. */
export const HUNDRED_THOUSAND = 'hundred-thousand';

/**
 * @typedef {object} Options
 * @property {readonly string[]} parts
 * @property {readonly string[]} targets
 * @property {number} holds
 * @property {number} items
 * @property {number} rounds
 * @property {number} size           bytes of an item
 * @property {number} settleSeconds  before idle memory is read
 * @property {number} passSeconds    of each pass-through
 * @property {number} rate           publishes per second whose acknowledgement is timed
 * @property {number} rateSeconds
 * @property {number} latencyItems
 * @property {number} tailSeconds
 * @property {number} tailHolds      that get the items whose receipts are timed
 * @property {number} deafHolds      beside them, that do not read
 * @property {number} channels       that are to be received again after Redis was cut
 * @property {number} publishChannels  with a stream each, for `publish`
 * @property {number} tlsHolds       of each kind
 * @property {number} drainHolds     on both nodes
 * @property {number} drainWindow    seconds
 * @property {number} clients        of hundred-thousand
 * @property {number} workers        of hundred-thousand; 0: as many as the open-file limit asks for
 * @property {boolean} isSmoke
 * @property {string | undefined} json   where the JSON goes
 * @property {boolean} writesResults     bench/RESULTS.md
 * @property {boolean} checks            status 1 where a goal is missed
 * @property {readonly string[] | undefined} from   JSON of earlier runs, to be shown instead of running
 */

/** Numbers: the acceptance's, and those of --smoke. */
const numbers = {
  holds: [5_000, 30],
  items: [20, 4],
  rounds: [3, 1],
  size: [100, 100],
  'settle-seconds': [5, 0.2],
  'pass-seconds': [3, 0.5],
  rate: [1_000, 200],
  'rate-seconds': [60, 1],
  'latency-items': [200, 10],
  'tail-seconds': [8, 0.5],
  'tail-holds': [1_000, 20],
  'deaf-holds': [5_000, 20],
  channels: [10_000, 50],
  'publish-channels': [2_000, 40],
  'tls-holds': [1_500, 20],
  'drain-holds': [10_000, 300],
  'drain-window': [20, 3],
  clients: [100_000, 200],
  workers: [0, 2],
};

export const usage = `npm run bench -- [part …] [--option value …]

parts: ${[...Object.keys(parts), HUNDRED_THOUSAND].join(', ')}
       (without any: ${usualParts.join(', ')})

--targets a,b        only these of: ${targets.map(({ name }) => name).join(', ')}
${Object.entries(numbers)
  .map(([name, [usual, smoke]]) => `--${name.padEnd(18)} ${usual} (with --smoke ${smoke})`)
  .join('\n')}
--smoke              everything once and small, on Holdfast's node edge only unless --targets says more
--no-build           take what is built
--json FILE          where the results go (tmp/bench/results.json)
--results            write bench/RESULTS.md from them; without parts, profiles and ${HUNDRED_THOUSAND} are among them
--check              end with status 1 where a goal is missed
--from FILE,FILE     do not run: show the results in these files, or with --results write them; of a part that several
                     have the last one counts
`;

/**
 * @param {readonly string[]} argv
 * @returns {Options}
 * @throws {Error} with what is wrong
 */
export function readOptions(argv) {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      ...Object.fromEntries(
        [...Object.keys(numbers), 'targets', 'json', 'from'].map((name) => [name, { type: 'string' }]),
      ),
      smoke: { type: 'boolean' },
      'no-build': { type: 'boolean' },
      results: { type: 'boolean' },
      check: { type: 'boolean' },
    },
  });
  const given = /** @type {Record<string, string | boolean | undefined>} */ (values);
  const isSmoke = given.smoke === true;
  const number = (/** @type {keyof typeof numbers} */ name) => {
    const value = Number(given[name] ?? numbers[name][isSmoke ? 1 : 0]);
    if (!(value >= 0)) throw new Error(`--${name} takes a number, not ${given[name]}`);
    return value;
  };
  const known = [...Object.keys(parts), HUNDRED_THOUSAND];
  const all = [
    ...usualParts,
    ...(given.results ? ['profiles'] : []),
    ...(isSmoke || given.results ? [HUNDRED_THOUSAND] : []),
  ];
  const targetNames = targets.map(({ name }) => name);
  return {
    parts: checked('part', positionals.length > 0 ? positionals : all, known),
    targets: checked('target', listOf(given.targets) ?? (isSmoke ? ['holdfast-node'] : targetNames), targetNames),
    holds: number('holds'),
    items: number('items'),
    rounds: number('rounds'),
    size: number('size'),
    settleSeconds: number('settle-seconds'),
    passSeconds: number('pass-seconds'),
    rate: number('rate'),
    rateSeconds: number('rate-seconds'),
    latencyItems: number('latency-items'),
    tailSeconds: number('tail-seconds'),
    tailHolds: number('tail-holds'),
    deafHolds: number('deaf-holds'),
    channels: number('channels'),
    publishChannels: number('publish-channels'),
    tlsHolds: number('tls-holds'),
    drainHolds: number('drain-holds'),
    drainWindow: number('drain-window'),
    clients: number('clients'),
    workers: number('workers'),
    isSmoke,
    json: /** @type {string | undefined} */ (given.json),
    writesResults: given.results === true,
    checks: given.check === true,
    from: listOf(given.from),
  };
}

/** @param {string | boolean | undefined} text */
function listOf(text) {
  return typeof text === 'string' ? text.split(',') : undefined;
}

/** @param {string} what @param {readonly string[]} names @param {readonly string[]} known */
function checked(what, names, known) {
  for (const name of names) {
    if (!known.includes(name)) throw new Error(`there is no ${what} ${name}; there are ${known.join(', ')}`);
  }
  return names;
}
