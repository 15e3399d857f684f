/** The `holdfast load` command: it puts load on a deployment, or puts reports of several machines together, and prints a report. */
import type { LoadFlags } from '../config/command-flags.js';
import { parseLoadLine } from '../config/command-line.js';
import { LoadError, userText } from '../errors.js';
import { version } from '../package-files.js';
import { realClock } from '../runtime/clock.js';
import { watchLauncher } from '../runtime/launcher.js';
import { LiveLine } from './load/live.js';
import { type Output, outputOf, planOf } from './load/plan.js';
import { reportHtml } from './load/reports/html-report.js';
import { readReport } from './load/reports/read-report.js';
import { mergeReports, percentiles, type Report } from './load/reports/report.js';
import { type Failure, failuresOf } from './load/reports/rules.js';
import { reportText } from './load/reports/text-report.js';
import { cautions, LoadRun } from './load/run.js';

/** Exit status of a run that a rule of `--fail` calls failed; 1 is for one that could not be made. */
const FAILED = 2;

function printed({ report: form }: Output, report: Report, failures: readonly Failure[]): string {
  if (form === 'html') return reportHtml(report, failures);
  if (form === 'text') return reportText(report, failures);
  // For people and jq, beside the histograms that they are of; not read again.
  const derived = {
    opening: percentiles(report.opening),
    acceptance: percentiles(report.items.acceptance),
    delivery: percentiles(report.latency),
  };
  return `${JSON.stringify({ ...report, percentiles: derived, failures })}\n`;
}

async function runLoad(url: string, flags: LoadFlags, signal: AbortSignal): Promise<[Output, Report]> {
  const plan = planOf(url, flags, Date.now());
  const warnings = await cautions(plan);
  for (const warning of warnings) process.stderr.write(`! ${warning}\n`);
  const line = new LiveLine(process.stderr);
  try {
    return [plan, await new LoadRun(plan, warnings, (progress) => line.show(progress)).run(signal)];
  } finally {
    line.end();
  }
}

function merge(files: readonly string[], flags: LoadFlags): [Output, Report] {
  const output = outputOf(flags);
  const [first, ...others] = files.map(readReport);
  if (first === undefined) throw new LoadError('ERR_LOAD_ARGUMENT', '--merge needs files');
  return [output, mergeReports([first, ...others])];
}

/**
 * Runs the command in this process. SIGINT and SIGTERM end a run early, with the report of what was; a second one ends the process.
 * The report goes to standard output, everything else to standard error. Exit status 2 when a rule of `--fail` holds, 1 when
 * there is no report. Never rejects.
 */
export async function loadMain(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process;
  const wish = new AbortController();
  const stop = () => {
    if (wish.signal.aborted) process.exit(1);
    wish.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  // Nobody may read them any more; the exit status says how it went all the same.
  stdout.on('error', () => {});
  stderr.on('error', () => {});
  const unwatch = watchLauncher(process.env, stop, realClock);
  try {
    const line = parseLoadLine(argv, version);
    if ('text' in line) return void stdout.write(line.text);
    const { url, flags } = line;
    if ((url === undefined) === (flags.merge === undefined))
      throw new LoadError('ERR_LOAD_ARGUMENT', 'expected a URL, or --merge with files');
    const [output, report] =
      url === undefined ? merge(flags.merge ?? [], flags) : await runLoad(url, flags, wish.signal);
    const failures = failuresOf(report, output.rules);
    stdout.write(printed(output, report, failures));
    if (failures.length > 0) process.exitCode = FAILED;
  } catch (error) {
    stderr.write(`Error: ${userText(error)}\n`);
    process.exitCode = 1;
  } finally {
    unwatch();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
