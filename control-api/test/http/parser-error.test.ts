import t from 'tap';
import { answerToParserError } from '../../dist/http/parser-error.js';

t.test('what a client sent does not go into the log with the error that it made', async (t) => {
  const error = Object.assign(new Error('Parse Error'), {
    code: 'HPE_INVALID_CONTENT_LENGTH',
    rawPacket: Buffer.from('x'),
  });
  t.match(answerToParserError(error, { pushInHttpMaxHeadersSize: 1, pushInHttpMaxBodySize: 1 }), { status: 400 });
  t.notOk('rawPacket' in error, 'a log spells out each byte of it');
});
