/** The text format of Prometheus, read and compared over time. */

/** @typedef {{ readonly name: string, readonly labels: Readonly<Record<string, string>>, readonly value: number }} Sample */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @param {string} text @returns {Sample[]} */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) continue;
    samples.push({
      name,
      labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, text]) => [key, unescaped(text ?? '')])),
      value: Number(value === '+Inf' ? 'Infinity' : value),
    });
  }
  return samples;
}

/** @param {string} text */
function unescaped(text) {
  return text.replace(/\\(.)/g, (_, next) => (next === 'n' ? '\n' : next));
}

/** One reading of all metrics. Names are given without the prefix of the node, whatever that is. */
export class Reading {
  /** @param {string} text @param {number} at  in ms */
  constructor(text, at) {
    this.at = at;
    const samples = parseMetrics(text);
    // The one that is always there.
    const known = samples.find(({ name }) => name.endsWith('build_info'))?.name ?? 'holdfast_build_info';
    this.prefix = known.slice(0, -'build_info'.length);
    this.samples = samples;
  }

  /**
   * @param {string} name  without the prefix
   * @param {Readonly<Record<string, string>>} [labels]
   * @returns {Sample[]}
   */
  all(name, labels = {}) {
    const full = this.prefix + name;
    return this.samples.filter(
      (sample) => sample.name === full && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** @param {string} name @param {Readonly<Record<string, string>>} [labels] */
  sum(name, labels) {
    return this.all(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** The sums by the value of a label. @param {string} name @param {string} label @returns {Map<string, number>} */
  by(name, label) {
    const sums = new Map();
    for (const { labels, value } of this.all(name)) {
      const key = labels[label] ?? '';
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  }

  /** What a counter grew by per second since an earlier reading. @param {string} name @param {Reading | undefined} before */
  rate(name, before) {
    if (before === undefined) return Number.NaN;
    return Math.max(0, this.sum(name) - before.sum(name)) / ((this.at - before.at) / 1_000);
  }

  /**
   * A quantile of what a histogram has counted since an earlier reading, in its unit; NaN where that is nothing.
   *
   * @param {string} name  without `_bucket`
   * @param {number} quantile
   * @param {Reading | undefined} before
   */
  quantile(name, quantile, before) {
    const now = this.by(`${name}_bucket`, 'le');
    const then = before?.by(`${name}_bucket`, 'le') ?? new Map();
    const buckets = [...now]
      .map(([le, value]) => ({
        le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
        n: value - (then.get(le) ?? 0),
      }))
      .sort((a, b) => a.le - b.le);
    const total = buckets.at(-1)?.n ?? 0;
    if (total <= 0) return Number.NaN;
    const wanted = quantile * total;
    let lower = 0;
    let below = 0;
    for (const { le, n } of buckets) {
      if (n >= wanted)
        return le === Number.POSITIVE_INFINITY ? lower : lower + ((le - lower) * (wanted - below)) / (n - below);
      lower = le;
      below = n;
    }
    return lower;
  }
}
