/** Grip-Resume-Token: that a client may come back without its origin being asked. */
import t from 'tap';
import { GripError, parseInstructHeaders, parseInstructJson, type ResponseHead } from '../../dist/index.js';

const head = (...headers: string[]): ResponseHead => ({ status: 200, reason: 'OK', headers });
const inHeader = (value: string) =>
  parseInstructHeaders(head('Grip-Hold', 'stream', 'Grip-Resume-Token', value)).resumeToken;
const inJson = (value: unknown, ...headers: string[]) =>
  parseInstructJson(head(...headers), Buffer.from(JSON.stringify({ hold: { channels: [], 'resume-token': value } })));

t.test('seconds, and whether the token is to be a cookie', async (t) => {
  t.strictSame(inHeader('60'), { ttl: 60, cookie: false });
  t.strictSame(inHeader('60; cookie'), { ttl: 60, cookie: true });
  t.strictSame(inJson(60).resumeToken, { ttl: 60, cookie: false });
  t.strictSame(inJson('60; cookie').resumeToken, { ttl: 60, cookie: true });
  t.equal(inJson(60).unknown, undefined);
  t.strictSame(
    inJson(60, 'Grip-Resume-Token', '5').resumeToken,
    { ttl: 60, cookie: false },
    'the document goes before',
  );
  t.notOk('resumeToken' in parseInstructHeaders(head('Grip-Hold', 'stream')));
});

for (const value of ['', 'x', '0', '-1', '1.5', '; cookie'])
  t.test(`refuses ${JSON.stringify(value)}`, async (t) => {
    t.throws(() => inHeader(value), GripError);
    t.throws(() => inJson(value), GripError);
  });
