import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { reportHtml } from '../../../../dist/commands/load/reports/html-report.js';
import { REPORT_MAX, readReport } from '../../../../dist/commands/load/reports/read-report.js';
import { mergeReports, type Report } from '../../../../dist/commands/load/reports/report.js';
import { reportText } from '../../../../dist/commands/load/reports/text-report.js';
import { MAX_ROWS, together, withSecond } from '../../../../dist/commands/load/reports/timeline.js';
import { reportOf, second } from './fixture.js';

t.test('two reports that share the clients of one are, together, that one', async (t) => {
  const whole = reportOf({
    clients: { wanted: 5, held: 4, open: 3, refused: 1, reconnected: 2 },
    failed: { ECONNREFUSED: 3, 'status 404': 1 },
    delivery: { received: 11, lost: 2, doubled: 3, disordered: 1, early: 0, forgotten: 0 },
    timeline: {
      width: 1,
      rows: [second(100, { received: 4, open: 3 }), second(101, { received: 7, open: 4, p99: 9 })],
    },
  });
  const publisher = reportOf({
    clients: { wanted: 2, held: 2, open: 1, refused: 0, reconnected: 2 },
    failed: { ECONNREFUSED: 1 },
    delivery: { received: 5, lost: 1, doubled: 3, disordered: 0, early: 0, forgotten: 0 },
    opening: [[1_000, 1]],
    latency: [[2_000, 5]],
    timeline: {
      width: 1,
      rows: [second(100, { received: 1, open: 2 }), second(101, { received: 4, open: 3, p99: 9 })],
    },
  });
  const listener = reportOf({
    clients: { wanted: 3, held: 2, open: 2, refused: 1, reconnected: 0 },
    failed: { ECONNREFUSED: 2, 'status 404': 1 },
    delivery: { received: 6, lost: 1, doubled: 0, disordered: 1, early: 0, forgotten: 0 },
    opening: [[1_000, 1]],
    latency: [[40_000, 1]],
    items: { published: 0, unpublished: 0, seen: true, foreign: 0, acceptance: [] },
    timeline: {
      width: 1,
      rows: [second(100, { received: 3, open: 1 }), second(101, { received: 3, open: 1, p99: 2 })],
    },
  });
  const { machines, ...merged } = mergeReports([publisher, listener]);
  const { machines: _, ...expected } = whole;
  t.same(merged, expected);
  t.equal(machines.length, 2);
});

t.test('a process that saw no item has lost them all', async (t) => {
  const deaf = reportOf({
    run: null,
    delivery: { received: 0, lost: 0, doubled: 0, disordered: 0, early: 0, forgotten: 0 },
    items: { published: 0, unpublished: 0, seen: false, foreign: 0, acceptance: [] },
    latency: [],
    warnings: ['no item of a load run was received: nothing is known of losses'],
  });
  const merged = mergeReports([reportOf(), deaf]);
  t.equal(merged.delivery.lost, 3 * 2);
  t.same(merged.warnings, []);
  t.match(mergeReports([deaf, deaf]).warnings, [/^no item of a load run/]);
});

t.test('reports of different runs or kinds are not put together', async (t) => {
  const code = 'ERR_LOAD_REPORT';
  t.throws(() => mergeReports([reportOf(), reportOf({ run: 'run-2' })]), { code, message: /run-1, run-2/ });
  t.throws(() => mergeReports([reportOf(), reportOf({ kind: 'ws' })]), { code });
});

t.test('a file is read only if all of it is as a report has it', async (t) => {
  const folder = t.testdir();
  const read = (content: string | object) => {
    const file = join(folder, 'report.json');
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return readReport(file);
  };
  const report = reportOf();
  t.same(read(report), report);
  const refused = (content: string | object, message: RegExp) =>
    t.throws(() => read(content), { code: 'ERR_LOAD_REPORT', message });
  t.throws(() => readReport(join(folder, 'none')), { code: 'ERR_LOAD_REPORT', message: /ENOENT/ });
  refused('{', /is not valid JSON/);
  refused('[]', /is no report of holdfast load/);
  refused({ ...report, form: 'holdfast-load/9' }, /is no report/);
  for (const name of Object.keys(report).filter((each) => each !== 'form')) {
    refused({ ...report, [name]: undefined }, new RegExp(`: ${name} is not`));
    refused({ ...report, [name]: [['x']] }, new RegExp(`: ${name} is not`));
  }
  refused({ ...report, latency: [[1, -1]] }, /: latency is not/);
  refused({ ...report, kind: '__proto__' }, /: kind is not/);
  const rows = new Array(MAX_ROWS + 1).fill(second(1));
  refused({ ...report, timeline: { width: 1, rows } }, /: timeline is not/);
  refused({ ...report, timeline: { width: 3, rows: [] } }, /: timeline is not/);
  refused(' '.repeat(REPORT_MAX + 1), /larger than/);
});

t.test('members that are not known leave no trace in what is made of them', async (t) => {
  const odd = JSON.parse(JSON.stringify(reportOf())) as Report;
  Object.assign(odd.delivery, { note: 'x', __proto__: { lost: 9 } });
  t.same(mergeReports([odd, reportOf()]).delivery, mergeReports([reportOf(), reportOf()]).delivery);
});

t.test('a long run has coarser rows, and all of what was in the fine ones', async (t) => {
  let timeline: Report['timeline'] = { width: 1, rows: [] };
  const seconds = 3 * MAX_ROWS;
  for (let at = 0; at < seconds; at++)
    timeline = withSecond(timeline, second(1_000_000 + at, { received: 2, open: at, p99: at % 7 }));
  t.equal(timeline.width, 4);
  t.ok(timeline.rows.length <= MAX_ROWS);
  t.equal(
    timeline.rows.reduce((sum, { received }) => sum + received, 0),
    2 * seconds,
  );
  t.equal(timeline.rows.at(-1)?.open, seconds - 1);
  const both = together([timeline, { width: 1, rows: [second(1_000_002, { received: 5, open: 1 })] }]);
  t.match(both.rows[0], { at: 1_000_000, received: 13, open: 4 });
  t.equal(both.width, 4);
});

t.test('text and page have what was found, why it failed, and nothing that is code', async (t) => {
  const report = reportOf({
    url: 'http://127.0.0.1:7999/<script>alert(1)</script>',
    failed: { '<img src=x onerror=alert(1)>': 2 },
    warnings: ['this & that\u009b31m'],
    timeline: { width: 1, rows: [second(1, { received: 6 }), second(2, { received: 12, p99: 3 })] },
  });
  const failures = [
    { rule: 'p99>1ms', value: 40 },
    { rule: 'lost>0', value: null },
  ];
  const text = reportText(report, failures);
  t.match(text, /^clients {10}2 of 2 held, 2 at the end$/m);
  t.match(text, /^lost, doubled {4}0 lost, 0 doubled, 0 out of order$/m);
  t.match(text, /^delivery {9}p50 2\.00 ms .* max 40\.0 ms$/m);
  t.match(
    text,
    /^! this & that\\u009b31m\nFAILED p99>1ms: it is 40\nFAILED lost>0: there is nothing to judge it by\n$/m,
  );
  const html = reportHtml(report, failures);
  t.match(html, /Content-Security-Policy" content="default-src 'none'/);
  t.notMatch(html, /<script|<img|this & that/);
  t.match(html, /&lt;img src=x onerror=alert\(1\)&gt;: 2/);
  t.match(html, /<p class="bad">Failed: p99&gt;1ms: it is 40<\/p>/);
  t.match(html, /Deliveries[\s\S]*12\/s[\s\S]*<path d="M0\.0 90\.0L900\.0 20\.0"\/>/);
});
