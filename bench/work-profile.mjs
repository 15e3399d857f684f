// The works that show where Holdfast spends its time: while it fans out, while holds are opened, while requests pass.

import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputFolder } from './compile.mjs';
import { missingPerf, owners, profiled, profiledNode } from './profile.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { isHoldfast } from './work.mjs';
import { ownChannels, rush, sum } from './work-publish.mjs';

/** Places that are named. */
const PLACES = 12;
/** Times that a work is done before it is looked at, for node to have compiled what it will. */
const WARM_ITEMS = 20;
const WARM_POLLS = 4;
const WARM_ROUNDS = 5;
/** Rounds over all channels that are looked at, and the connections that publish. */
const ROUNDS = 10;
const PUBLISHERS = 16;
const SETTLE_MS = 500;
/** CPU time of a process that has nothing to do, meanwhile; opening or closing one hold takes a hundredth of it. */
const IDLE_US = 20_000;

/**
 * What is done between the start and the end of sampling; resolves with how often.
 *
 * @typedef {(testbed: Testbed, options: import('./options.mjs').Options) => Promise<{ count: number, cpuUs: number, problems: readonly string[] }>} Step
 */
/** @typedef {{ title: string, unit: string, kind: import('./target.mjs').Kind, hasOwnChannels?: boolean, before: Step, step: Step }} Subject */

/** @type {Step} */
const fanOut = async (testbed, { items }) => {
  const answer = await testbed.load.do('publish', { items });
  return { count: answer.deliveries, cpuUs: answer.cpu_us, problems: problemsOf(answer) };
};

/** @type {Step} */
const openAll = async (testbed, { holds }) => {
  const { opened, cpuUs, problem } = await testbed.open(holds);
  return { count: opened, cpuUs, problems: problem === undefined ? [] : [problem] };
};

/** Waits until the target has nothing more to do. @param {Testbed} testbed */
async function quiet(testbed) {
  let cpuUs = 0;
  for (let idle = false; !idle; ) {
    await delay(SETTLE_MS);
    const { cpu_us: now } = await testbed.load.do('cpu');
    idle = now - cpuUs < IDLE_US;
    cpuUs = now;
  }
}

/** @type {Step} */
const pass = async (testbed, { passSeconds, isSmoke }) => {
  const asked = { method: 'GET', path: '/bytes/100', answer: 100, pattern: 1, concurrent: isSmoke ? 4 : 64 };
  const answer = await testbed.load.do('request', { ...asked, warm: passSeconds / 3, seconds: passSeconds });
  return {
    count: answer.done,
    cpuUs: answer.cpu_us,
    problems: answer.wrong > 0 ? [`${answer.wrong} wrong answers`] : [],
  };
};

/** @type {Step} */
const holdAndWarm = async (testbed, options) => {
  const opened = await openAll(testbed, options);
  const warmed = await fanOut(testbed, { ...options, items: WARM_ITEMS });
  return { ...warmed, problems: [...opened.problems, ...warmed.problems] };
};

/** Polls that have been answered a few times, and ask once more. @type {Step} */
const pollAndWarm = async (testbed, options) => {
  for (let i = 0; i < WARM_POLLS; i++) {
    await testbed.open(options.holds);
    await fanOut(testbed, { ...options, items: 1 });
  }
  return openAll(testbed, options);
};

/** @type {Step} */
const answer = (testbed, options) => fanOut(testbed, { ...options, items: 1 });

/** @type {Step} */
const openAndClose = async (testbed, options) => {
  const opened = await openAll(testbed, options);
  await testbed.load.do('close');
  await quiet(testbed);
  return opened;
};

/** @param {number} rounds @returns {Step} */
const publish = (rounds) => async (testbed) => {
  const { items, cpusUs, problems } = await rush(testbed.load, { batch: 1, connections: PUBLISHERS, rounds });
  return { count: items, cpuUs: sum(cpusUs) * items, problems };
};

/** @type {Step} */
const holdAndPublish = async (testbed, options) => {
  const opened = await openAll(testbed, options);
  const warmed = await publish(WARM_ROUNDS)(testbed, options);
  return { ...warmed, problems: [...opened.problems, ...warmed.problems] };
};

/** @type {Readonly<Record<string, Subject>>} */
const subjects = {
  'profile-streams': {
    title: 'fan-out to HTTP streams',
    unit: 'delivery',
    kind: 'stream',
    before: holdAndWarm,
    step: fanOut,
  },
  'profile-websockets': {
    title: 'fan-out to WebSockets',
    unit: 'delivery',
    kind: 'ws',
    before: holdAndWarm,
    step: fanOut,
  },
  'profile-polls': {
    title: 'answers to long-polls',
    unit: 'delivery',
    kind: 'poll',
    before: pollAndWarm,
    step: answer,
  },
  'profile-opening-streams': {
    title: 'opening HTTP streams',
    unit: 'hold',
    kind: 'stream',
    before: openAndClose,
    step: openAll,
  },
  'profile-opening-websockets': {
    title: 'opening WebSockets',
    unit: 'hold',
    kind: 'ws',
    before: openAndClose,
    step: openAll,
  },
  'profile-publish': {
    title: 'publishing single items',
    unit: 'item',
    kind: 'stream',
    hasOwnChannels: true,
    before: holdAndPublish,
    step: publish(ROUNDS),
  },
  'profile-pass': { title: 'passing small requests on', unit: 'request', kind: 'stream', before: pass, step: pass },
};

/** @type {readonly import('./work.mjs').Work[]} */
export const profileWorks = Object.entries(subjects).map(([name, subject]) => ({
  name,
  suits: isHoldfast,
  isLong: true,
  tables: [
    {
      title: `Profile of ${subject.title}: CPU µs/${subject.unit}`,
      primary: 'totalUs',
      baselines: [],
      columns: [
        { key: 'totalUs', title: 'all', digits: 1 },
        ...owners.map(([key, title]) => ({ key, title, digits: 1 })),
      ],
    },
  ],
  run: (task) => measure(task, subject),
}));

/**
 * @param {import('./work.mjs').Task} task
 * @param {Subject} subject
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure({ target, programs, options }, { kind, hasOwnChannels = false, before, step }) {
  const missing = missingPerf();
  if (missing !== undefined) return { values: {}, problems: [missing] };
  const count = options.holds;
  const speech = hasOwnChannels ? ownChannels(target) : {};
  return Testbed.with(
    { target, programs, kind, size: options.size, count, nodeFlags: profiledNode, speech },
    async (testbed) => {
      const [pid] = testbed.running.pids;
      if (pid === undefined) return { values: {}, problems: ['it does not run'] };
      const warmed = await before(testbed, options);
      await delay(SETTLE_MS);
      const file = path.join(outputFolder, 'perf.data');
      const { result, profile } = await profiled({ pid, file }, () => step(testbed, options));
      const each = result.cpuUs / result.count;
      const values = Object.fromEntries(Object.entries(profile.shares).map(([owner, share]) => [owner, share * each]));
      return {
        values: { totalUs: each, ...values },
        problems: [...warmed.problems, ...result.problems],
        detail: { samples: profile.samples, places: profile.places.slice(0, PLACES) },
      };
    },
  );
}

/**
 * The places at which a target spends most, for a reader.
 *
 * @param {readonly import('./table.mjs').RunRecord[]} records
 * @returns {{ title: string, lines: string[] }[]}
 */
export function placesOf(records) {
  return records.flatMap(({ work, target, detail }) => {
    const subject = subjects[work];
    if (subject === undefined || detail === undefined) return [];
    const { samples, places } = /** @type {{ samples: number, places: [string, number][] }} */ (detail);
    return [
      {
        title: `${target}, ${subject.title} (${samples} samples)`,
        lines: places.map(([place, share]) => `${(share * 100).toFixed(1).padStart(5)} %  ${place}`),
      },
    ];
  });
}
