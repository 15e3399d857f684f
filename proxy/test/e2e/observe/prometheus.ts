/** Debian's Prometheus as a child process, and the questions of its HTTP API that tests ask. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { root, startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** Where the set-up of the tests unpacks what must not be installed; see scripts/system-packages.mjs. */
const unpacked = join(root, 'node_modules', '.cache', 'debian', 'usr', 'bin');

/** The path of `prometheus` or `promtool`: installed, or unpacked by the set-up of the tests. */
export function prometheusProgram(name: 'prometheus' | 'promtool'): string {
  const installed = join('/usr/bin', name);
  return existsSync(installed) ? installed : join(unpacked, name);
}

/** Between two looks at what a scrape will bring. */
const PAUSE_MS = 50;

/** The job of the nodes, as deploy/prometheus-rules.yaml wants it. */
export const JOB = 'holdfast';

/** What to scrape, and by which rules. */
export interface PrometheusOptions {
  /** Name of the instance → `host:port` of its admin listener. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Path of a rules file. */
  readonly rules: string;
  /** Time between scrapes and between evaluations of the rules, in ms. */
  readonly interval: number;
}

/** One series of an answer: its labels and its samples, times in seconds since the epoch. */
export interface Matrix {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: number])[];
}

/** A rule as Prometheus has it. */
export interface LoadedRule {
  readonly name: string;
  readonly health: 'ok' | 'unknown' | 'err';
  readonly lastError?: string;
}

/** An alert that is pending or firing, with its annotations filled in. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

interface Answer<T> {
  readonly status: 'success' | 'error';
  readonly data: T;
  readonly error?: string;
}

/** A Prometheus that scrapes. */
export class Prometheus {
  readonly #url: string;
  /** Seconds since the epoch. */
  readonly startedAt = Date.now() / 1_000;

  private constructor(url: string) {
    this.#url = url;
  }

  /** Starts one for nodes, which ends with the test, and waits until it has scraped each. */
  static async start(t: Test, { nodes, rules, interval }: PrometheusOptions): Promise<Prometheus> {
    const every = `${interval}ms`;
    const jobs = Object.entries(nodes).map(([instance, target]) => ({ targets: [target], labels: { instance } }));
    const config = {
      global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
      rule_files: [rules],
      scrape_configs: [{ job_name: JOB, static_configs: jobs }],
    };
    const prometheus = await Prometheus.run(t, stringify(config));
    await prometheus.until(`count(up{job="${JOB}"} == 1) == ${jobs.length}`);
    return prometheus;
  }

  /** Starts one with the text of a configuration, which ends with the test, and waits until it answers. */
  static async run(t: Test, config: string): Promise<Prometheus> {
    const directory = newDirectory(t);
    const file = join(directory, 'prometheus.yaml');
    writeFileSync(file, config);
    const address = `127.0.0.1:${await freePort()}`;
    const flags = {
      'config.file': file,
      'storage.tsdb.path': join(directory, 'data'),
      'web.listen-address': address,
      'log.level': 'warn',
    };
    const child = startChild(t, {
      command: prometheusProgram('prometheus'),
      args: Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    });
    const prometheus = new Prometheus(`http://${address}`);
    const output = () => child.stdout + child.stderr;
    const answers = async () => {
      if (!child.running) throw new Error(`Prometheus has ended\n${output()}`);
      return await prometheus.query('vector(1)').catch(() => undefined);
    };
    await until('an answer of Prometheus', answers, output);
    return prometheus;
  }

  /** The series of an expression now. @throws Error what Prometheus says against it */
  async query(expression: string): Promise<Matrix[]> {
    type Vector = { metric: Matrix['metric']; value: [number, string] }[];
    const { result, resultType } = await this.#ask<{ result: Vector; resultType: string }>('query', {
      query: expression,
    });
    if (resultType !== 'vector') throw new Error(`${expression}: a ${resultType}`);
    return result.map(({ metric, value: [time, value] }) => ({ metric, values: [[time, Number(value)]] }));
  }

  /** The series of an expression from the start until now; `step` is in seconds. @throws Error as `query` */
  async range(expression: string, step: number): Promise<Matrix[]> {
    type Series = { metric: Matrix['metric']; values: [number, string][] }[];
    const { result } = await this.#ask<{ result: Series }>('query_range', {
      query: expression,
      start: String(this.startedAt),
      end: String(Date.now() / 1_000),
      step: String(step),
    });
    return result.map(({ metric, values }) => ({
      metric,
      values: values.map(([time, value]) => [time, Number(value)] as const),
    }));
  }

  /** The values of a label on the series that a selector matches. */
  labelValues(selector: string, label: string): Promise<string[]> {
    return this.#ask(`label/${label}/values`, { 'match[]': selector });
  }

  /** Waits until an expression has a value. */
  async until(expression: string): Promise<void> {
    const found = async () => {
      if ((await this.query(expression)).length > 0) return true;
      // It changes with the next scrape only.
      await delay(PAUSE_MS);
      return false;
    };
    await until(`${expression} in Prometheus`, found);
  }

  /** The alerting rules. */
  async rules(): Promise<LoadedRule[]> {
    const { groups } = await this.#ask<{ groups: { rules: LoadedRule[] }[] }>('rules', { type: 'alert' });
    return groups.flatMap(({ rules }) => rules);
  }

  /** What is pending or firing. */
  async alerts(): Promise<ActiveAlert[]> {
    return (await this.#ask<{ alerts: ActiveAlert[] }>('alerts', {})).alerts;
  }

  async #ask<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await response.json()) as Answer<T>;
    if (status !== 'success') throw new Error(`${parameters.query ?? path}: ${error}`);
    return data;
  }
}
