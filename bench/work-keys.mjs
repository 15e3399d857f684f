// The work that measures what a publish costs with keys of the control API configured, beside one without: a literal key, and a token.
import { createHmac } from 'node:crypto';
import { problemsOf, Testbed } from './testbed.mjs';
import { isHoldfast } from './work.mjs';

/** Seconds for which one is measured before the next: what else the machine does hits all three alike. */
const TURN_SECONDS = 2;
const KEY = 'the-key-of-the-bench-0123456789';
/** Seconds for each in one round, at most: the turns make longer ones of no use. */
const SECONDS_MAX = 20;
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
  run: (task) =>
    withNode(task, [], undefined, (plain) =>
      withNode(task, ['--control-key', KEY], KEY, (key) =>
        withNode(task, ['--control-key', KEY], token(), (jwt) => measure([plain, key, jwt], task.options)),
      ),
    ),
};

/**
 * Has `use` work with a node of its own.
 *
 * @template T
 * @param {import('./work.mjs').Task} task
 * @param {readonly string[]} extra
 * @param {string | undefined} credential
 * @param {(testbed: Testbed) => Promise<T>} use
 * @returns {Promise<T>}
 */
function withNode({ target, programs, options: { size } }, extra, credential, use) {
  const speech = credential === undefined ? {} : { publish_header: `Authorization: Bearer ${credential}` };
  return Testbed.with({ target, programs, size, extra, speech }, use);
}

/**
 * @param {readonly Testbed[]} testbeds  without, with a key, with a token
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbeds, { rate, rateSeconds }) {
  const sums = testbeds.map(() => ({ cpuUs: 0, published: 0 }));
  const problems = [];
  // Warms up, and is not counted.
  for (const testbed of testbeds) {
    await testbed.hold(1);
    await testbed.load.do('pace', { rate, seconds: 1 });
  }
  for (let seconds = 0; seconds < Math.min(rateSeconds, SECONDS_MAX); seconds += TURN_SECONDS) {
    for (const [i, testbed] of testbeds.entries()) {
      const answer = await testbed.load.do('pace', { rate, seconds: Math.min(TURN_SECONDS, rateSeconds) });
      const sum = sums[i];
      if (sum === undefined) continue;
      sum.cpuUs += answer.cpu_us;
      sum.published += answer.published;
      problems.push(...problemsOf(answer));
    }
  }
  const [plainUs = Number.NaN, keyUs = Number.NaN, tokenUs = Number.NaN] = sums.map(
    ({ cpuUs, published }) => cpuUs / published,
  );
  const values = { plainUs, keyUs, tokenUs, keyRatio: keyUs / plainUs, tokenRatio: tokenUs / plainUs };
  return { values, problems };
}
