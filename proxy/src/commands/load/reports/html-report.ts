/** A report as one page that needs nothing else: no script, and nothing is loaded. */
import type { Report } from './report.js';
import type { Failure } from './rules.js';
import { count, failureText, milliseconds, rowsOf, titleOf } from './text-report.js';
import type { Second } from './timeline.js';

const WIDTH = 900;
const HEIGHT = 160;

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as text, in elements and attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => escapes[sign] as string);

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1b1f24; background: #fff }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; vertical-align: top }
.bad { color: #b3261e; font-weight: 600 } .note { color: #8a5a00 }
svg { width: 100%; height: auto } path { fill: none; stroke: #1f6feb; stroke-width: 1.5 } line { stroke: #d0d7de }
text { font: 11px system-ui, sans-serif; fill: #59636e }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117 } .bad { color: #ff7b72 } .note { color: #e3b341 } line { stroke: #30363d }
  text { fill: #9198a1 } path { stroke: #58a6ff }
}`;

/** One line over time, with its greatest value. */
function chart(
  title: string,
  rows: readonly Second[],
  read: (row: Second) => number,
  say: (value: number) => string,
): string {
  if (rows.length < 2) return '';
  const [first, last] = [rows[0] as Second, rows[rows.length - 1] as Second];
  const most = Math.max(...rows.map(read));
  const x = (row: Second) => (((row.at - first.at) / Math.max(last.at - first.at, 1)) * WIDTH).toFixed(1);
  const y = (row: Second) => (HEIGHT - (read(row) / Math.max(most, 1e-9)) * (HEIGHT - 20)).toFixed(1);
  const points = rows.map((row) => `${x(row)} ${y(row)}`).join('L');
  const label = `${title}: at most ${say(most)}`;
  return `<h2>${escapeHtml(title)}</h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT + 4}" role="img" aria-label="${escapeHtml(label)}">
<line x1="0" y1="${HEIGHT}" x2="${WIDTH}" y2="${HEIGHT}"/><line x1="0" y1="20" x2="${WIDTH}" y2="20"/>
<text x="0" y="14">${escapeHtml(say(most))}</text><path d="M${points}"/></svg>
`;
}

/** The whole page. Everything that comes from elsewhere, the URL and reasons, is text. */
export function reportHtml(report: Report, failures: readonly Failure[]): string {
  const { width, rows } = report.timeline;
  const perSecond = (value: number) => `${count(Math.round(value))}/s`;
  const body = [
    `<h1>${escapeHtml(titleOf(report))}</h1>`,
    ...failures.map((failure) => `<p class="bad">Failed: ${escapeHtml(failureText(failure))}</p>`),
    ...report.warnings.map((warning) => `<p class="note">${escapeHtml(warning)}</p>`),
    '<table>',
    ...rowsOf(report).map(
      ([name, text]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(text)}</td></tr>`,
    ),
    '</table>',
    chart('Clients held', rows, ({ open }) => open, count),
    chart('Deliveries', rows, ({ received }) => received / width, perSecond),
    chart('Delivery, p99 of each second', rows, ({ p99 }) => p99, milliseconds),
    chart('Delivery, slowest of each second', rows, ({ most }) => most, milliseconds),
  ].join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>holdfast load</title><style>${style}</style></head><body>
${body}
</body></html>
`;
}
