/** What is read of deploy/grafana/holdfast.json and deploy/prometheus-rules.yaml: panels, queries, alerts, and what they select. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';

/** One query of a panel. */
export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

/** What is looked at of a panel; rows have no targets. Positions are in the 24 columns of Grafana. */
export interface Panel {
  readonly id: number;
  readonly type: 'row' | 'timeseries';
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: { readonly defaults: FieldDefaults };
}

/** How the values of a panel are drawn. */
export interface FieldDefaults {
  readonly unit: string;
  readonly min?: number;
  readonly max?: number;
  readonly decimals?: number;
  readonly custom?: {
    readonly scaleDistribution?: { readonly type: string; readonly log?: number };
    readonly lineInterpolation?: string;
    readonly fillOpacity?: number;
    readonly stacking?: { readonly mode: string };
  };
}

/** What is looked at of the board. */
export interface Board {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: string }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

/** An alert of the rules file. */
export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const boardFile = join(root, 'deploy', 'grafana', 'holdfast.json');
export const rulesFile = join(root, 'deploy', 'prometheus-rules.yaml');

/** The board as it is in the repository. */
export const readBoard = (): Board => JSON.parse(readFileSync(boardFile, 'utf8')) as Board;

/** The alerts as they are in the repository. */
export function readRules(): Rule[] {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/**
 * Puts values in the place of variables as Grafana does: `job` and `instance` as for a choice of "All" unless given, and
 * `interval` seconds for `$__rate_interval`.
 * @throws Error on a variable that is not known
 */
export function substitute(
  expression: string,
  interval: number,
  chosen: Readonly<Record<string, string>> = {},
): string {
  const values: Readonly<Record<string, string>> = {
    job: '.*',
    instance: '.*',
    __rate_interval: `${interval}s`,
    ...chosen,
  };
  return expression.replace(/\$(?:\{(\w+)\}|(\w+))/g, (text, braced?: string, plain?: string) => {
    const value = values[braced ?? plain ?? ''];
    if (value === undefined) throw new Error(`${expression}: nothing is known of ${text}`);
    return value;
  });
}

/** An expression without the ` or vector(0)` that keeps a panel from being empty where nothing has happened. */
export const withoutZero = (expression: string): string => expression.replace(/ or vector\(0\)$/, '');

/** The vector selectors in an expression, without ranges and offsets. */
export function selectorsOf(expression: string): string[] {
  const found = expression.matchAll(/\b(?:holdfast_\w+|up|ALERTS)\b(?:\{[^}]*\})?/g);
  return [...new Set([...found].map(([selector]) => selector))];
}
