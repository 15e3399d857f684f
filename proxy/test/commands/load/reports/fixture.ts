/** Reports to judge, write and put together. */
import { REPORT_FORM, type Report } from '../../../../dist/commands/load/reports/report.js';

/** A row of a timeline. */
export const second = (at: number, more: Partial<Report['timeline']['rows'][number]> = {}) => ({
  ...{ at, open: 0, opened: 0, failed: 0, reconnected: 0, published: 0, received: 0, p99: 0, most: 0 },
  ...more,
});

/** A report of a run in which all was well, but for what is given. */
export function reportOf(more: Partial<Report> = {}): Report {
  return {
    form: REPORT_FORM,
    url: 'http://127.0.0.1:7999/events',
    kind: 'sse',
    run: 'run-1',
    startedAt: '2026-01-01T00:00:00.000Z',
    seconds: 10,
    clients: { wanted: 2, held: 2, open: 2, refused: 0, reconnected: 0 },
    failed: {},
    dropped: {},
    opening: [[1_000, 2]],
    items: { published: 3, unpublished: 0, seen: true, foreign: 0, acceptance: [[500, 3]] },
    delivery: { received: 6, lost: 0, doubled: 0, disordered: 0, early: 0, forgotten: 0 },
    latency: [
      [2_000, 5],
      [40_000, 1],
    ],
    timeline: { width: 1, rows: [second(100, { opened: 2, open: 2 }), second(101, { received: 6, open: 2, p99: 40 })] },
    machines: [{ cpu: 0.1, cpuMost: 0.2, lagP99: 1, lagMost: 3, memory: 50_000_000, cores: 2 }],
    warnings: [],
    ...more,
  };
}
