import t from 'tap';
import { httpStream } from '../../dist/item/http-stream.js';

const { parse } = httpStream;

t.test('http-stream takes content-bin before content', async (t) => {
  t.same(parse({ 'content-bin': 'AP8=', content: 'x' }), { action: 'send', content: Buffer.from([0, 255]) });
  t.same(parse({ content: '' }), { action: 'send', content: Buffer.alloc(0) });
});
