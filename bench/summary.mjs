// Owns: from the records of a run to medians and ratios. Does not own: how they are shown.

/**
 * @typedef {object} RunRecord
 * @property {string} work
 * @property {string} target
 * @property {number} round
 * @property {Record<string, number>} values
 * @property {readonly string[]} problems
 * @property {unknown} [detail]
 */

/** Medians over the rounds of one work. */
export class Summary {
  #records;

  /** @param {readonly RunRecord[]} records */
  constructor(records) {
    this.#records = records.filter(({ values }) => values !== undefined);
  }

  /**
   * @param {string} work
   * @param {string} target
   * @param {string} key
   * @returns {number | undefined} undefined when no round has it
   */
  value(work, target, key) {
    const values = this.#records
      .filter((record) => record.work === work && record.target === target)
      .map((record) => record.values[key])
      .filter((value) => Number.isFinite(value))
      .sort((a, b) => a - b);
    const middle = Math.floor(values.length / 2);
    return values.length % 2 === 1
      ? values[middle]
      : values.length === 0
        ? undefined
        : (values[middle - 1] + values[middle]) / 2;
  }

  /**
   * @param {string} work
   * @param {string} key
   * @param {string} target
   * @param {string} baseline
   */
  ratio(work, key, target, baseline) {
    const [value, base] = [this.value(work, target, key), this.value(work, baseline, key)];
    return value === undefined || base === undefined || base <= 0 ? undefined : value / base;
  }

  /** Of all rounds, each once. @param {string} work @param {string} target @returns {string[]} */
  problems(work, target) {
    const records = this.#records.filter((record) => record.work === work && record.target === target);
    return [...new Set(records.flatMap(({ problems }) => problems))];
  }

  /** Works with a record, in order. @returns {string[]} */
  get works() {
    return [...new Set(this.#records.map(({ work }) => work))];
  }
}
