// What a work is to the run and the tables.

/**
 * @typedef {object} Column
 * @property {string} key     of `Outcome.values`
 * @property {string} title   with the unit
 * @property {number} digits  after the point
 */
/**
 * @typedef {object} Table
 * @property {string} title
 * @property {string} primary  key of the column whose ratios are shown
 * @property {readonly string[]} baselines  names of the targets that the others are divided by
 * @property {readonly Column[]} columns
 */
/**
 * @typedef {object} Outcome
 * @property {Record<string, number>} values
 * @property {readonly string[]} problems  what makes the values doubtful; shown loudly
 * @property {unknown} [detail]  kept in the JSON only
 */
/** @typedef {{ target: import('./target.mjs').Target, programs: import('./compile.mjs').Programs, options: import('./options.mjs').Options }} Task */
/**
 * @typedef {object} Work
 * @property {string} name
 * @property {(target: import('./target.mjs').Target) => boolean} suits
 * @property {boolean} [isLong]  done in one round only
 * @property {readonly Table[]} tables
 * @property {(task: Task) => Promise<Outcome>} run
 */

/** The targets that fan-out is compared with. */
export const holdBaselines = ['limit', 'pushpin', 'nchan'];

/** @param {import('./target.mjs').Target} target */
export const holdsClients = (target) => target.roles.includes('hold');

/** @param {import('./target.mjs').Target} target */
export const isHoldfast = (target) => target.name.startsWith('holdfast-');
