import t from 'tap';
import { EdgeReports, REPORT_MS } from '../../dist/telemetry/edge-reports.js';
import { Metrics } from '../../dist/telemetry/metrics.js';
import { ManualClock } from '../kit/manual-clock.js';

t.test('a shortage is told once at the beginning, then every ten seconds with what there was meanwhile', async (t) => {
  const clock = new ManualClock();
  const lines: [object, string][] = [];
  const log = { warn: (fields: object, text: string) => lines.push([fields, text]) } as never;
  const metrics = new Metrics('');
  const descriptors = { limit: 256, reserve: 32 };
  const reports = new EdgeReports({ metrics, descriptors, log, clock, clientMaxconn: 1_000 });
  for (let i = 0; i < 1_000; i++) reports.descriptorsShort();
  t.match(lines, [
    [{ limit: 256, closed: 1 }, /may have 256, and the last 32 are kept.*Raise LimitNOFILE or ulimit -n/],
  ]);
  clock.advance(REPORT_MS);
  t.match(lines[1], [{ closed: 999 }]);
  clock.advance(REPORT_MS);
  t.equal(lines.length, 2, 'nothing to tell');
  reports.descriptorsShort();
  t.equal(lines.length, 3);
  t.match(await metrics.expose(), /^holdfast_connections_refused_total 1001$/m, 'each is counted');
});
