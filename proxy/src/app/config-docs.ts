/** The text of docs/config.md, made of the option table. */
import { docOf, type Option, optionGroups } from '../config/option.js';
import { expectation } from '../config/parse-option.js';
import { options } from '../config/table.js';
import { configSearch } from './load-config.js';

const introduction = `# Configuration

This page is generated from the option table; do not edit it.

Every option can be set in the file, in the environment and on the command line. A flag wins over the environment, the
environment over the file, the file over the default. An empty environment variable counts as not set.

| surface | name of \`http_port\` |
|---|---|
| Holdfast YAML | \`http_port: 7999\` |
| pushpin.conf | \`http_port=7999\` in \`[runner]\`; options that Pushpin does not have go into \`[holdfast]\` |
| environment | \`HOLDFAST_HTTP_PORT=7999\` |
| flag | \`--http-port 7999\` or \`--http-port=7999\` |

\`--config FILE\` (or \`HOLDFAST_CONFIG\`) names the file; its content shows whether it is YAML or a pushpin.conf.
Without it the first of these that exists is used: {search}. Without any file the defaults apply.

In YAML an unknown key is an error. In a pushpin.conf an unknown or obsolete key is a warning, a number out of range
is moved into the range with a warning. If a pushpin.conf omits an option, Pushpin's default applies (marked in the tables). \`include\`, \`{libdir}\`, \`{rundir}\`
and \`{ipc_prefix}\` work as in Pushpin; a missing \`internal.conf\` is not an error.

Durations are numbers in the unit shown, or have their own unit: \`500ms\`, \`90s\`, \`2m\`, \`1h\`. Sizes are bytes, or have a
unit: \`64KiB\`, \`1MB\`. Lists are comma separated, or YAML lists. Paths in a file are relative to the directory
of that file. \`rundir\`, \`logfile\`, \`logdir\` and all paths in flags and the environment are relative to the working directory.

\`holdfast check-config\` checks a configuration and its routes. \`holdfast print-config\` prints the effective
configuration as YAML, without secrets.

One variable is no option: \`HOLDFAST_STOP_TIMEOUT\` says how long what runs the node waits after SIGTERM before it kills
(\`TimeoutStopSec=\`, \`stop_grace_period\`, \`terminationGracePeriodSeconds\` less the time of a preStop hook), as a duration in seconds or
\`infinity\`. If that is less than \`shutdown_delay\`, \`shutdown_window\` and 6 s together, or leaves requests less than \`shutdown_requests\`
after them, \`check-config\` and the log warn.
`;

function code(text: string | number | boolean | undefined): string {
  return text === undefined || text === '' ? '' : `\`${text}\``;
}

function defaults({ default: ours, pushpinDefault: pushpin }: Option): string {
  return pushpin === undefined ? code(ours) : `${code(ours)} (missing in a pushpin.conf: ${code(pushpin)})`.trim();
}

function row(option: Option): string {
  const flags = (option.flags ?? []).map((flag) => `; flag ${code(flag)}`).join('');
  const unit =
    (option.type === 'int' || option.type === 'limit') && option.unit !== undefined ? ` (${option.unit})` : '';
  const cells = [
    code(option.key),
    expectation(option) + unit,
    defaults(option),
    (option.pushpin ?? []).map(code).join(', '),
    docOf(option) + flags,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The whole page as Markdown, with a newline at its end. Called by the docs script and by the test that compares. */
export function renderConfigDocs(): string {
  const sections = optionGroups.map((group) => {
    const rows = options.filter((option) => option.group === group && option.hidden !== true).map(row);
    return [
      `## ${group}`,
      '',
      '| key | value | default | Pushpin key | meaning |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
  });
  return `${introduction.replace('{search}', configSearch.map(code).join(', '))}\n${sections.join('\n')}`;
}
