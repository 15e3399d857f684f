// The work in which clients come back by tokens of their own, for which no origin is asked.
import { createHmac } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './target.mjs';
import { Testbed } from './testbed.mjs';
import { isHoldfast } from './work.mjs';
import { comeBack, RETURN_S, RETURNING, SMOKE_HOLDS } from './work-opening.mjs';

const KEY = 'the-key-of-the-bench-0123456789';
/** For as long as any run takes. */
const TOKEN_SECONDS = 86_400;
/** For a node to let go of clients that are gone. */
const GONE_MS = 2_000;

const names = { stream: 'event streams', ws: 'WebSockets' };

/** A token of one user, for one channel. @param {number} user */
function token(user) {
  const encode = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_SECONDS;
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: `user-${user}`, channels: ['bench'], exp })}`;
  return `${input}.${createHmac('sha256', KEY).update(input).digest('base64url')}`;
}

/** @param {string} name @param {keyof typeof names} kind @returns {import('./work.mjs').Work} */
export function tokensWork(name, kind) {
  const many = RETURNING.toLocaleString('en-US');
  return {
    name,
    suits: isHoldfast,
    tables: [
      {
        title: `${many} ${names[kind]} by tokens of their own within ${RETURN_S} s, and once more, on one core; no origin is asked`,
        primary: 'backS',
        baselines: [],
        columns: [
          { key: 'firstS', title: 'first: last held s', digits: 2 },
          { key: 'firstUs', title: 'CPU µs/hold', digits: 1 },
          { key: 'backS', title: 'back: last held s', digits: 2 },
          { key: 'backUs', title: 'CPU µs/hold', digits: 1 },
        ],
      },
    ],
    run: async ({ target, programs, options }) => {
      const count = options.isSmoke ? SMOKE_HOLDS : RETURNING;
      const folder = makeFolder('tokens');
      const fields = path.join(folder, 'fields');
      writeFileSync(fields, Array.from({ length: count }, (_, i) => `Authorization: Bearer ${token(i)}\n`).join(''));
      // What came through to the origin all the same would be counted there as a hold.
      const extra = ['--route', `*,path_beg=/${kind},history subscribe,token_key=${KEY}`];
      const speech = { path: `/${kind}?channel=bench`, fields };
      try {
        return await Testbed.with({ target, programs, kind, count, extra, speech }, (testbed) =>
          twice(testbed, kind, count),
        );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** @param {Testbed} testbed @param {keyof typeof names} kind @param {number} count @returns {Promise<import('./work.mjs').Outcome>} */
async function twice(testbed, kind, count) {
  const { load, origin } = testbed;
  const first = await comeBack(testbed, count);
  await load.do('close');
  await delay(GONE_MS);
  const back = await comeBack(testbed, count);
  const asked = (await origin.asked())[kind];
  const problems = [...first.problems, ...back.problems];
  if (asked > 0) problems.push(`the origin was asked ${asked} times`);
  const values = {
    firstS: first.values.lastS,
    firstUs: first.values.openUs,
    backS: back.values.lastS,
    backUs: back.values.openUs,
  };
  return { values: /** @type {Record<string, number>} */ (values), problems };
}
