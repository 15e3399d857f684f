// One target with an origin behind it and a load in front of it, from start to end.
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.mjs';
import { OriginProcess } from './origin.mjs';

/** Polls that are opened before the origin is asked whether it knows of them: nothing else shows that they are held. */
const POLL_STEP = 50;
/** For what a server does after its last answer, and for holds of targets that tell nobody when they hold. */
const QUIET_MS = 200;
/** After holds have been opened, before something is published to them; Pushpin needs longer. */
const SETTLE_MS = 300;

/**
 * @typedef {object} TestbedOptions
 * @property {import('./target.mjs').Target} target
 * @property {import('./compile.mjs').Programs} programs
 * @property {import('./target.mjs').Kind} [kind]
 * @property {number} [size]   bytes of an item
 * @property {number} [count]  of holds, at most
 * @property {readonly string[]} [extra]  flags of Holdfast
 * @property {readonly string[]} [nodeFlags]  flags of the node that runs Holdfast
 * @property {import('./target.mjs').Certificate} [certificate]  clients use TLS
 * @property {Record<string, string | number>} [speech]  options of the load that differ from the target's
 */

export class Testbed {
  origin;
  running;
  load;
  #target;
  #kind;

  /**
   * @param {import('./target.mjs').Target} target
   * @param {import('./target.mjs').Kind} kind
   * @param {OriginProcess} origin
   * @param {import('./target.mjs').RunningTarget} running
   * @param {Load} load
   */
  constructor(target, kind, origin, running, load) {
    this.#target = target;
    this.#kind = kind;
    this.origin = origin;
    this.running = running;
    this.load = load;
  }

  /** Starts all three, has `use` work with them, and ends them whatever happens. @template T
   * @param {TestbedOptions} options
   * @param {(testbed: Testbed) => Promise<T>} use
   * @returns {Promise<T>}
   */
  static async with(options, use) {
    const { target, programs, kind = 'stream', size = 100, count = 1, speech = {} } = options;
    const { extra = [], nodeFlags = [], certificate } = options;
    const tls = certificate && { certificate };
    const origin = await OriginProcess.start(programs.origin);
    try {
      const running = await target.start({ programs, originPort: origin.port, extra, nodeFlags, ...tls });
      const load = new Load(programs.load, { ...running.speech(kind, size), count, ...(tls && { tls: 1 }), ...speech });
      try {
        await load.do('pids', { list: running.pids.join(',') });
        const testbed = new Testbed(target, kind, origin, running, load);
        await testbed.#subscribeFirst();
        return await use(testbed);
      } finally {
        await load.stop();
        await running.stop();
      }
    } finally {
      await origin.stop();
    }
  }

  /**
   * Has one hold subscribe and waits, where the first subscription to a channel makes the target ask its origin again
   * for all that is held on it: hundreds of requests at once, some of which Pushpin answers with 502.
   */
  async #subscribeFirst() {
    const { settleMs, roles } = this.#target;
    if (settleMs === undefined || !roles.includes('hold')) return;
    await this.load.do('open', { count: 1 });
    await delay(settleMs);
  }

  /** Opens this many holds, and waits until a publish reaches all of them. @param {number} count @throws {Error} when some do not open */
  async hold(count) {
    const { problem } = await this.open(count);
    if (problem !== undefined) throw new Error(problem);
    await delay(this.settleMs);
  }

  /** How long after its holds have been opened a publish may still miss them. */
  get settleMs() {
    return this.#target.settleMs ?? SETTLE_MS;
  }

  /**
   * Opens the first `count` holds that are not open, and waits until they are held.
   *
   * @param {number} count
   * @param {{ resumes?: boolean }} [how]  with the sessions of TLS that they have had before
   * @returns {Promise<{ cpuUs: number, opened: number, resumed: number, problem?: string }>} CPU time of the target meanwhile
   */
  async open(count, { resumes = false } = {}) {
    const before = await this.load.do('cpu');
    const asked = this.#target.asksOrigin ? (await this.origin.asked())[this.#kind] : 0;
    const steps = this.#kind === 'poll' && this.#target.asksOrigin ? POLL_STEP : count;
    /** @type {import('./load.mjs').Answer} */
    let answer = {};
    let wasAsked = true;
    for (let open = Math.min(steps, count); wasAsked; open = Math.min(open + steps, count)) {
      answer = await this.load.do('open', { count: open, resume: resumes ? 1 : 0 });
      if (this.#target.asksOrigin)
        wasAsked = await this.origin.waitUntilAsked(this.#kind, asked + open - before.opened);
      if (open === count) break;
    }
    await delay(QUIET_MS);
    const after = await this.load.do('cpu');
    const whole = answer.opened === count && wasAsked;
    return {
      cpuUs: after.cpu_us - before.cpu_us,
      opened: answer.opened,
      resumed: answer.resumed,
      ...(!whole && {
        problem: `only ${answer.opened} of ${count} holds opened (${answer.failure ?? 'the origin was not asked'})`,
      }),
    };
  }
}

/** What is wrong with a publish that the load reports; nothing when every item was received once, with its content. @param {import('./load.mjs').Answer} answer */
export function problemsOf(answer) {
  const problems = [];
  if (answer.lost > 0) problems.push(`${answer.lost} deliveries were lost`);
  if (answer.lost < 0) problems.push(`${-answer.lost} deliveries too many`);
  if (answer.wrong > 0) problems.push(`${answer.wrong} times other bytes than were published`);
  if (answer.broken > 0) problems.push(`${answer.broken} holds broke`);
  if (answer.refused > 0) problems.push(`${answer.refused} publishes were refused`);
  return problems.length === 0 || answer.failure === undefined ? problems : [...problems, `first: ${answer.failure}`];
}
