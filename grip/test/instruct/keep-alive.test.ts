import fc from 'fast-check';
import t from 'tap';
import { parseCstring, parseKeepAlive } from '../../dist/instruct/keep-alive.js';
import { messageOf } from '../grip-error.js';

t.test('content alone is raw, idle, each 55 seconds', async (t) => {
  t.same(parseKeepAlive('ping'), { content: Buffer.from('ping'), mode: 'idle', timeout: 55 });
});

t.test('commas in the content are data', async (t) => {
  t.same(parseKeepAlive('a, b; mode=interval; timeout=2'), {
    content: Buffer.from('a, b'),
    mode: 'interval',
    timeout: 2,
  });
});

t.test('content may be a cstring or base64', async (t) => {
  t.same(parseKeepAlive('\\n\\n; format=cstring; timeout=20')?.content, Buffer.from('\n\n'));
  t.same(parseKeepAlive('AP8=; format=base64')?.content, Buffer.from([0, 255]));
  t.same(parseKeepAlive('\xe9; format=raw')?.content, Buffer.from([0xe9]));
});

t.test('the timeout is at least one second', async (t) => {
  t.equal(parseKeepAlive('x; timeout=0')?.timeout, 1);
});

t.test('an absent or empty header, unparsable parameters and empty content are no keep-alive', async (t) => {
  for (const header of [undefined, '', 'x; mode="idle', '=; format=base64', '\\q; format=cstring']) {
    t.equal(parseKeepAlive(header), undefined, header ?? 'absent');
  }
});

t.test('what is wrong with a keep-alive is an error of the origin', async (t) => {
  const table: [string, string][] = [
    ['; mode=idle', 'Grip-Keep-Alive cannot be empty'],
    ['x; mode=often', "no such Grip-Keep-Alive mode 'often'"],
    ['x; format=hex', "no such Grip-Keep-Alive format 'hex'"],
    ['x; timeout=soon', 'failed to parse Grip-Keep-Alive timeout value'],
    ['x; timeout=', 'failed to parse Grip-Keep-Alive timeout value'],
    ['x; timeout=-1', 'Grip-Keep-Alive timeout has invalid value'],
    ['\\x1; format=cstring', 'failed to parse Grip-Keep-Alive cstring format'],
  ];
  for (const [header, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parseKeepAlive(header)),
      message,
      header,
    );
  }
});

t.test('backslash, r, n and xHH escapes give their bytes', async (t) => {
  t.same(parseCstring('a\\\\b\\r\\n\\x00\\xfF'), Buffer.from('a\\b\r\n\0\xff', 'latin1'));
  t.same(parseCstring('\xe9'), Buffer.from([0xe9]), 'other bytes stand for themselves');
});

t.test('an unknown escape is dropped', async (t) => {
  t.same(parseCstring('a\\tb'), Buffer.from('ab'));
});

t.test('an escape that is cut short or not hexadecimal is an error', async (t) => {
  for (const text of ['\\', 'a\\', '\\x', '\\x1', '\\xg0', '\\x0g']) t.equal(parseCstring(text), undefined, text);
});

t.test('any bytes can be written as \\xHH and read back', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
      t.same(parseCstring(text), Buffer.from(bytes));
    }),
  );
});
