import fc from 'fast-check';
import t from 'tap';
import { type TransportForm, transportForm } from '../../dist/sockjs/receiver.js';
import type { ReceivingTransport } from '../../dist/sockjs/sockjs-path.js';

const form = (transport: ReceivingTransport) => transportForm(transport, 'cb') as TransportForm;

t.test('how frames look', async (t) => {
  t.equal(form('xhr').wrap('o'), 'o\n');
  t.equal(form('xhr_streaming').wrap('o'), 'o\n');
  t.equal(form('eventsource').wrap('a["1%"]'), 'data: a["1%25"]\r\n\r\n');
  t.equal(form('jsonp').wrap('a["x"]'), '/**/cb("a[\\"x\\"]");\r\n');
  t.equal(form('htmlfile').wrap('a["x"]'), '<script>\np("a[\\"x\\"]");\n</script>\r\n');
});

t.test('what comes before them', async (t) => {
  t.equal(form('xhr').prelude, undefined);
  t.equal(form('jsonp').prelude, undefined);
  t.equal(form('xhr_streaming').prelude, `${'h'.repeat(2048)}\n`);
  t.equal(form('eventsource').prelude, '\r\n');
  const head = form('htmlfile').prelude ?? '';
  t.ok(head.length > 1_024);
  t.match(head, 'var c = parent.cb;');
});

t.test('no message ends the script of a htmlfile', async (t) => {
  const frame = 'a["</script><script>alert(1)//"]';
  const wrapped = form('htmlfile').wrap(frame);
  t.equal(wrapped.match(/<\/script>/g)?.length, 1);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const [, script = ''] = /^<script>\np\((.*)\);\n<\/script>\r\n$/s.exec(form('htmlfile').wrap(text)) ?? [];
      return JSON.parse(script) === text && !script.includes('<');
    }),
  );
});

t.test('events decode to the frame, as the library decodes them', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const frame = JSON.stringify(text);
      const [, data = ''] = /^data: (.*)\r\n\r\n$/s.exec(form('eventsource').wrap(frame)) ?? [];
      return decodeURI(data) === frame;
    }),
  );
});

t.test('transports that call back need a function to call', async (t) => {
  t.equal(transportForm('jsonp', undefined), undefined);
  t.equal(transportForm('htmlfile', undefined), undefined);
});
