/** Items whose content is the body of a request. */
import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { bodyItem } from '../dist/body-item.js';
import { startControl } from './control-fixture.js';

const item = (query: string, body = 'x') => bodyItem('a', query, Buffer.from(body));

t.test('the body is the content of each format, as it is', async (t) => {
  t.same(
    item('format=http-stream&format=ws-message&format=http-response&id=1&prev-id=0', 'x\r\n'),
    parseItem({
      channel: 'a',
      id: '1',
      'prev-id': '0',
      formats: {
        'http-response': { body: 'x\r\n' },
        'http-stream': { content: 'x\r\n' },
        'ws-message': { content: 'x\r\n' },
      },
    }),
  );
  const bytes = Buffer.from([0xff, 0]);
  t.match(bodyItem('a', 'format=ws-message', bytes).formats, {
    wsMessage: { type: 'binary', content: bytes },
  });
});

t.test('what is wrong is said as for other items', async (t) => {
  t.throws(() => item(''), { code: 'ERR_GRIP_ITEM', message: /^Invalid format: no 'format' in the query: expected / });
  t.throws(() => bodyItem('a', undefined, Buffer.alloc(0)), { code: 'ERR_GRIP_ITEM' });
  t.throws(() => item('format=none'), { message: /^Invalid format: unknown format "none": known are / });
  t.throws(() => item(`format=http-stream&id=${'x'.repeat(2_000)}`), {
    message: /^Invalid format: .*'id' of more than/,
  });
});

t.test('over HTTP: as other publishes are answered, and with the rights that they need', async (t) => {
  const { ask, listener, events } = await startControl(t);
  t.match(await ask('POST', '/publish/a?format=http-stream&id=1', {}, 'hello'), { status: 200, body: 'Published\n' });
  t.strictSame(listener.labels, ['a/1']);
  t.match(await ask('POST', '/publish/a', {}, 'hello'), { status: 400 });
  t.match(await ask('GET', '/publish/a?format=http-stream'), { status: 405, headers: { allow: 'POST' } });
  t.match(await ask('POST', '/publish/a?format=http-stream&other=1', {}, 'x'), { status: 404 });
  t.match(await ask('POST', '/publish/a/b?format=http-stream', {}, 'x'), { status: 404 });
  t.strictSame(events.requests.slice(0, 2), ['publish  ok', 'publish  refused']);
});
