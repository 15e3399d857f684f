// The work that measures what a publish costs with keys of the control API configured, beside one without: a literal key, and a
// token. The three nodes are one process and take turns.
import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.mjs';
import { OriginProcess } from './origin.mjs';
import { startInOne } from './target-holdfast.mjs';
import { problemsOf } from './testbed.mjs';
import { isHoldfast } from './work.mjs';

/** Seconds for which one is measured before the next: what else the machine does hits all three alike. */
const TURN_SECONDS = 1;
const KEY = 'the-key-of-the-bench-0123456789';
/** Seconds for each in one round, at most: the turns make longer ones of no use. */
const SECONDS_MAX = 20;
/** A publish is not compiled for good before. */
const WARM_SECONDS = 4;
/** After the subscribers have connected. */
const SETTLE_MS = 300;
/** For as long as any run takes. */
const TOKEN_SECONDS = 86_400;

/** A token as GRIP libraries make it. */
function token() {
  const encode = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_SECONDS;
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ iss: 'bench', exp })}`;
  return `${input}.${createHmac('sha256', KEY).update(input).digest('base64url')}`;
}

/** @type {import('./work.mjs').Work} */
export const keysWork = {
  name: 'keys',
  suits: isHoldfast,
  tables: [
    {
      title: 'A publish at a steady rate with a key of the control API, and without; one subscriber',
      primary: 'keyUs',
      baselines: [],
      columns: [
        { key: 'plainUs', title: 'without: CPU µs/item', digits: 1 },
        { key: 'keyUs', title: 'with a key', digits: 1 },
        { key: 'tokenUs', title: 'with a token', digits: 1 },
        { key: 'keyRatio', title: 'key ÷ without', digits: 3 },
        { key: 'tokenRatio', title: 'token ÷ without', digits: 3 },
      ],
    },
  ],
  run: async ({ target, programs, options }) => {
    const origin = await OriginProcess.start(programs.origin);
    try {
      const keyed = { control_key: KEY };
      const nodes = await startInOne(edgeOf(target), origin.port, [{}, keyed, keyed]);
      const loads = nodes.map((node, i) => {
        const credential = [undefined, KEY, token()][i];
        const speech = credential === undefined ? {} : { publish_header: `Authorization: Bearer ${credential}` };
        return new Load(programs.load, { ...node.speech('stream', options.size), count: 1, ...speech });
      });
      try {
        for (const load of loads) await load.do('pids', { list: nodes[0]?.pids.join(',') ?? '' });
        return await measure(loads, options);
      } finally {
        for (const load of loads) await load.stop();
        await nodes[0]?.stop();
      }
    } finally {
      await origin.stop();
    }
  },
};

/** @param {import('./target.mjs').Target} target @returns {'node' | 'uws'} */
function edgeOf({ name }) {
  return name === 'holdfast-uws' ? 'uws' : 'node';
}

/**
 * @param {readonly Load[]} loads  of the nodes without, with a key, with a token
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(loads, { rate, rateSeconds }) {
  const turns = loads.map(() => /** @type {number[]} */ ([]));
  const problems = [];
  for (const load of loads) await load.do('open', { count: 1 });
  await delay(SETTLE_MS);
  // Warms up, and is not counted.
  for (const load of loads) await load.do('pace', { rate, seconds: Math.min(WARM_SECONDS, rateSeconds) });
  for (let seconds = 0; seconds < Math.min(rateSeconds, SECONDS_MAX); seconds += TURN_SECONDS) {
    for (const i of shuffled(loads.length)) {
      const load = /** @type {Load} */ (loads[i]);
      const answer = await load.do('pace', { rate, seconds: TURN_SECONDS });
      turns[i]?.push(answer.cpu_us / answer.published);
      problems.push(...problemsOf(answer));
    }
  }
  const [plainUs = Number.NaN, keyUs = Number.NaN, tokenUs = Number.NaN] = turns.map(lowerQuartile);
  const values = { plainUs, keyUs, tokenUs, keyRatio: keyUs / plainUs, tokenRatio: tokenUs / plainUs };
  return { values, problems };
}

/** The first few numbers in any order: equal nodes differ by several per cent by their place in a turn. @param {number} count */
function shuffled(count) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [/** @type {number} */ (order[j]), /** @type {number} */ (order[i])];
  }
  return order;
}

/** Whatever else the machine does makes a turn dearer, some of them twice. @param {readonly number[]} values */
function lowerQuartile(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)];
}
