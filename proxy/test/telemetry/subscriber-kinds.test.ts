/** What users see of the kinds of subscriber: labels of metrics, and the lines and fields of the log. */
import { subscriberKinds } from '@holdfast/grip';
import t from 'tap';
import type { ClientRequest } from '../../dist/edge/port.js';
import { AccessLog } from '../../dist/telemetry/access-log.js';
import { Metrics } from '../../dist/telemetry/metrics.js';
import { Redaction } from '../../dist/telemetry/redaction.js';

t.test(
  'metrics have a series of items sent for each kind from the start, and label events with their kind',
  async (t) => {
    const metrics = new Metrics('');
    for (const kind of subscriberKinds) {
      metrics.subscriberOpened(kind);
      metrics.itemDropped(kind, 'slow-client');
      metrics.subscriberEnded(kind, 'shutdown');
    }
    metrics.itemSent('ws');
    const lines = (await metrics.expose()).split('\n').filter((line) => line.includes('kind='));
    t.strictSame(lines, [
      'holdfast_holds_opened_total{kind="response"} 1',
      'holdfast_holds_opened_total{kind="stream"} 1',
      'holdfast_holds_opened_total{kind="ws"} 1',
      'holdfast_holds_opened_total{kind="callback"} 1',
      'holdfast_holds_opened_total{kind="xmpp"} 1',
      'holdfast_holds_ended_total{kind="response",reason="shutdown"} 1',
      'holdfast_holds_ended_total{kind="stream",reason="shutdown"} 1',
      'holdfast_holds_ended_total{kind="ws",reason="shutdown"} 1',
      'holdfast_holds_ended_total{kind="callback",reason="shutdown"} 1',
      'holdfast_holds_ended_total{kind="xmpp",reason="shutdown"} 1',
      'holdfast_holds{kind="response"} 0',
      'holdfast_holds{kind="stream"} 0',
      'holdfast_holds{kind="ws"} 0',
      'holdfast_holds{kind="callback"} 0',
      'holdfast_holds{kind="xmpp"} 0',
      'holdfast_items_sent_total{kind="response"} 0',
      'holdfast_items_sent_total{kind="stream"} 0',
      'holdfast_items_sent_total{kind="ws"} 1',
      'holdfast_items_sent_total{kind="callback"} 0',
      'holdfast_items_sent_total{kind="xmpp"} 0',
      'holdfast_items_dropped_total{kind="response",reason="slow-client"} 1',
      'holdfast_items_dropped_total{kind="stream",reason="slow-client"} 1',
      'holdfast_items_dropped_total{kind="ws",reason="slow-client"} 1',
      'holdfast_items_dropped_total{kind="callback",reason="slow-client"} 1',
      'holdfast_items_dropped_total{kind="xmpp",reason="slow-client"} 1',
      'holdfast_bytes_sent_total{kind="response"} 0',
      'holdfast_bytes_sent_total{kind="stream"} 0',
      'holdfast_bytes_sent_total{kind="ws"} 0',
      'holdfast_bytes_sent_total{kind="callback"} 0',
      'holdfast_bytes_sent_total{kind="xmpp"} 0',
      'holdfast_bytes_sent_total{kind="relay"} 0',
      'holdfast_messages_received_total{kind="ws"} 0',
    ]);
  },
);

t.test('the line of an end calls holds by their kind, and sessions sessions', async (t) => {
  const lines: string[] = [];
  const log = { info: (fields: object, text: string) => lines.push(text, JSON.stringify(fields)) };
  const output = { ...log, record: () => {}, raw: () => {} };
  const shown = { logFrom: false, logUserAgent: false, fields: undefined, redaction: new Redaction([]) };
  const access = new AccessLog(output, { enabled: true, namesChannels: false, form: 'pushpin', sample: 1, ...shown });
  const request = { id: 'x-1', path: '/p' } as ClientRequest;
  const end = { reason: 'shutdown', items: 2, dropped: 1, duration: 30, channels: ['a', 'b'] } as const;
  for (const kind of subscriberKinds) access.end(request, undefined, { kind, ...end });
  const fields = (kind: string) =>
    `{"id":"x-1","kind":"${kind}","reason":"shutdown","items":2,"dropped":1,"duration":30,"channels":2}`;
  t.strictSame(lines, [
    'hold response /p id=x-1 end=shutdown items=2 dropped=1 30ms',
    fields('response'),
    'hold stream /p id=x-1 end=shutdown items=2 dropped=1 30ms',
    fields('stream'),
    'session /p id=x-1 end=shutdown items=2 dropped=1 30ms',
    fields('ws'),
    'callback /p id=x-1 end=shutdown items=2 dropped=1 30ms',
    fields('callback'),
    'XMPP subscription /p id=x-1 end=shutdown items=2 dropped=1 30ms',
    fields('xmpp'),
  ]);
});
