// Owns: what a publish costs with keys of the control API configured, beside one without: a literal key, and a token. Does not
// own: how publishes are paced.
import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { problemsOf, Scene } from './scene.mjs';
import { isHoldfast } from './work.mjs';

const SETTLE_MS = 300;
const KEY = 'the-key-of-the-bench-0123456789';
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
  run: async (task) => {
    const plain = await measure(task, [], undefined);
    const key = await measure(task, ['--control-key', KEY], KEY);
    const jwt = await measure(task, ['--control-key', KEY], token());
    return {
      values: {
        plainUs: plain.us,
        keyUs: key.us,
        tokenUs: jwt.us,
        keyRatio: key.us / plain.us,
        tokenRatio: jwt.us / plain.us,
      },
      problems: [...plain.problems, ...key.problems, ...jwt.problems],
    };
  },
};

/**
 * @param {import('./work.mjs').Task} task
 * @param {readonly string[]} extra
 * @param {string | undefined} credential
 * @returns {Promise<{ us: number, problems: readonly string[] }>}
 */
function measure({ target, programs, options: { size, rate, rateSeconds } }, extra, credential) {
  const speech = credential === undefined ? {} : { publish_header: `Authorization: Bearer ${credential}` };
  return Scene.with({ target, programs, size, extra, speech }, async (scene) => {
    const { problem } = await scene.open(1);
    if (problem !== undefined) return { us: Number.NaN, problems: [problem] };
    await delay(SETTLE_MS);
    // Warms up, and is not counted.
    await scene.load.do('pace', { rate, seconds: 1 });
    const answer = await scene.load.do('pace', { rate, seconds: rateSeconds });
    return { us: answer.cpu_us / answer.published, problems: problemsOf(answer) };
  });
}
