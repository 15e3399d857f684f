import t from 'tap';
import { controlErrors } from '../../dist/errors.js';
import { answerToParserError, encodeAnswer } from '../../dist/http/answer.js';

t.test('what a client sent does not go into the log with the error that it made', async (t) => {
  const error = Object.assign(new Error('Parse Error'), {
    code: 'HPE_INVALID_CONTENT_LENGTH',
    rawPacket: Buffer.from('x'),
  });
  t.match(answerToParserError(error, { pushInHttpMaxHeadersSize: 1, pushInHttpMaxBodySize: 1 }), { status: 400 });
  t.notOk('rawPacket' in error, 'a log spells out each byte of it');
});

t.test('content of its own, such as a web page, replaces both forms', async (t) => {
  const page = { status: 200, message: 'OK', content: { type: 'text/html; charset=utf-8', body: '<p>ü</p>' } };
  for (const format of ['text', 'json'] as const) {
    t.strictSame(
      encodeAnswer(page, format, true),
      {
        headers: ['Content-Type', 'text/html; charset=utf-8', 'Content-Length', '9', 'Connection', 'close'],
        body: '<p>ü</p>',
      },
      format,
    );
  }
});

t.test('every refusal of the control API has its status in the table, and only errors of HTTP', async (t) => {
  for (const [code, row] of Object.entries(controlErrors)) {
    if (!('status' in row)) continue;
    t.ok(row.status >= 400 && row.status < 600, code);
    t.equal('retryAfter' in row, row.status === 503, `${code}: try again later`);
  }
});
