// Owns: what ten items cost that are published in one call, beside ten that are published one by one.
// Does not own: fan-out of single items to many.
import { setTimeout as delay } from 'node:timers/promises';
import { problemsOf, Scene } from './scene.mjs';
import { holdBaselines, holdsClients } from './work.mjs';

const BURST = 10;
const HOLDS_MAX = 1_000;
const SETTLE_MS = 300;

const names = { stream: 'HTTP streams', ws: 'WebSockets' };

/**
 * @param {string} name
 * @param {'stream' | 'ws'} kind  a long-poll takes one item
 * @returns {import('./work.mjs').Work}
 */
export function burstWork(name, kind) {
  return {
    name,
    suits: holdsClients,
    tables: [
      {
        title: `Bursts of ${BURST} items in one publish call, to ${names[kind]} (at most ${HOLDS_MAX})`,
        primary: 'burstUs',
        baselines: holdBaselines,
        columns: [
          { key: 'singleUs', title: 'single: CPU µs/delivery', digits: 2 },
          { key: 'burstUs', title: 'burst: CPU µs/delivery', digits: 2 },
          { key: 'share', title: 'burst ÷ single', digits: 2 },
          { key: 'perSecond', title: 'deliveries/s', digits: 0 },
        ],
      },
    ],
    run: ({ target, programs, options }) => {
      const holds = Math.min(HOLDS_MAX, options.holds);
      return Scene.with({ target, programs, kind, size: options.size, count: holds }, (scene) =>
        measure(scene, target, holds, options.items),
      );
    },
  };
}

/**
 * @param {Scene} scene
 * @param {import('./target.mjs').Target} target
 * @param {number} holds
 * @param {number} items  single ones; as many bursts follow
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(scene, target, holds, items) {
  const { problem } = await scene.open(holds);
  if (problem !== undefined) return { values: {}, problems: [problem] };
  await delay(target.settleMs ?? SETTLE_MS);
  const warming = [
    await scene.load.do('publish', { items }),
    await scene.load.do('publish', { items: BURST * 2, batch: BURST }),
  ];
  const single = await scene.load.do('publish', { items });
  const burst = await scene.load.do('publish', { items: items * BURST, batch: BURST });
  const [singleUs, burstUs] = [single, burst].map((answer) => answer.cpu_us / answer.deliveries);
  return {
    values: { singleUs, burstUs, share: burstUs / singleUs, perSecond: (burst.deliveries / burst.wall_us) * 1e6 },
    problems: [...warming, single, burst].flatMap(problemsOf),
  };
}
