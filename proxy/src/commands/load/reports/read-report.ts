/** Reads reports from files, which may be anything. */
import { readJsonBytes } from '@holdfast/grip';
import { readWhole, whyUnread } from '../../../config/files/read-file.js';
import { LoadError } from '../../../errors.js';
import { kinds } from '../clients/transport.js';
import { REPORT_FORM, type Report } from './report.js';
import { MAX_ROWS } from './timeline.js';

/**
 * Bytes of a report.
 *
 * @limit {MiB} of a report that `holdfast load --merge` reads
 * @over refused
 */
export const REPORT_MAX = 16 * 1024 * 1024;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value.length <= 10_000;
const isAmount: Check = (value) => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isFlag: Check = (value) => typeof value === 'boolean';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const members =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) &&
    Object.entries(checks).every(([name, check]) => Object.hasOwn(value, name) && check(value[name]));
const amounts = (...names: string[]) => members(Object.fromEntries(names.map((name) => [name, isAmount])));
const counts: Check = (value) => isObject(value) && Object.values(value).every(isAmount);
const list =
  (check: Check, max: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(check);
const isPair: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(isAmount);
/** Longer than a recorder makes one. */
const isHistogram = list(isPair, 100_000);
const isWidth: Check = (value) => isAmount(value) && Number.isInteger(Math.log2(value as number));

const checks = {
  form: (value: unknown) => value === REPORT_FORM,
  url: isText,
  kind: (value: unknown) => kinds.some((kind) => kind === value),
  run: (value: unknown) => value === null || isText(value),
  startedAt: (value: unknown) => isText(value) && Number.isFinite(Date.parse(value as string)),
  seconds: isAmount,
  clients: amounts('wanted', 'held', 'open', 'refused', 'reconnected'),
  failed: counts,
  dropped: counts,
  opening: isHistogram,
  items: members({
    published: isAmount,
    unpublished: isAmount,
    foreign: isAmount,
    seen: isFlag,
    acceptance: isHistogram,
  }),
  delivery: amounts('received', 'lost', 'doubled', 'disordered', 'early', 'forgotten'),
  latency: isHistogram,
  timeline: members({
    width: isWidth,
    rows: list(
      amounts('at', 'open', 'opened', 'failed', 'reconnected', 'published', 'received', 'p99', 'most'),
      MAX_ROWS,
    ),
  }),
  machines: list(amounts('cpu', 'cpuMost', 'lagP99', 'lagMost', 'memory', 'cores'), 10_000),
  warnings: list(isText, 10_000),
} satisfies Readonly<Record<keyof Report, Check>>;

/**
 * Reads what `--report json` wrote. Members that are not known are left out of what is made of it.
 * @throws LoadError ERR_LOAD_REPORT
 */
export function readReport(path: string): Report {
  let bytes: Buffer;
  try {
    bytes = readWhole(path, REPORT_MAX);
  } catch (cause) {
    throw new LoadError('ERR_LOAD_REPORT', `cannot read ${path}: ${whyUnread(cause)}`, { cause });
  }
  const { value, fault } = readJsonBytes(bytes);
  if (fault !== undefined) throw new LoadError('ERR_LOAD_REPORT', `${path} ${fault}`);
  if (!isObject(value) || value.form !== REPORT_FORM)
    throw new LoadError('ERR_LOAD_REPORT', `${path} is no report of holdfast load: its form is not ${REPORT_FORM}`);
  const wrong = Object.entries(checks).find(([name, check]) => !check(value[name]));
  if (wrong !== undefined) throw new LoadError('ERR_LOAD_REPORT', `${path}: ${wrong[0]} is not as a report has it`);
  return value as unknown as Report;
}
