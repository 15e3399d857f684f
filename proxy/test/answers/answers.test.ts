import { GripError } from '@holdfast/grip';
import t from 'tap';
import { failureOf } from '../../dist/answers/answers.js';
import { proxyErrors } from '../../dist/error-table.js';
import { OriginError, type OriginErrorCode, RequestError } from '../../dist/errors.js';

const FAILED = 'Error while proxying to origin.';

t.test('a client is told of an origin’s failure only that there was one', async (t) => {
  const codes = Object.keys(proxyErrors).filter((code) => code.startsWith('ERR_ORIGIN_')) as OriginErrorCode[];
  for (const code of codes) {
    if (code === 'ERR_ORIGIN_FAULT') continue;
    t.strictSame(failureOf(new OriginError(code, 'secret', 'no'), false), {
      status: 502,
      text: FAILED,
      code,
      headers: [],
    });
  }
});

t.test('a fault of the proxy’s own is one for everybody', async (t) => {
  for (const debug of [false, true]) {
    const fault = new OriginError('ERR_ORIGIN_FAULT', 'secret', 'no');
    const failure = { status: 500, text: 'Internal error.', code: 'ERR_ORIGIN_FAULT', headers: [] };
    t.strictSame(failureOf(fault, debug), failure);
  }
});

t.test('those who debug are told the cause', async (t) => {
  const text = (error: Error) => failureOf(error, true).text;
  t.equal(text(new OriginError('ERR_ORIGIN_CONNECT', 'Unable to connect', 'no')), 'Unable to connect');
  t.equal(
    text(new OriginError('ERR_ORIGIN_BLOCKED', 'Origin host/IP blocked.', 'no')),
    'Error: Origin host/IP blocked.',
  );
  t.equal(text(new OriginError('ERR_ORIGIN_TIMEOUT', 'too slow', 'no')), `${FAILED} ERR_ORIGIN_TIMEOUT: too slow`);
  t.equal(text(new GripError('ERR_GRIP_INSTRUCT', 'bad hold')), 'Failed to parse accept instructions: bad hold');
});

t.test('a client’s own faults are told to all', async (t) => {
  for (const debug of [false, true]) {
    const failure = (
      code: 'ERR_REQUEST_NO_ROUTE' | 'ERR_REQUEST_TOO_LARGE_TO_HOLD' | 'ERR_REQUEST_EVENTS_FROM_CLIENT',
    ) => failureOf(new RequestError(code, 'why'), debug);
    t.match(failure('ERR_REQUEST_NO_ROUTE'), { status: 502, text: 'why' });
    t.match(failure('ERR_REQUEST_TOO_LARGE_TO_HOLD'), { status: 400, text: 'why' });
    t.match(failure('ERR_REQUEST_EVENTS_FROM_CLIENT'), { status: 403, text: 'why' });
  }
});

t.test('a GRIP response that is too large is the origin’s fault', async (t) => {
  const error = new RequestError('ERR_REQUEST_INSTRUCT_TOO_LARGE', 'too large');
  t.match(failureOf(error, false), { status: 502, text: FAILED });
  t.match(failureOf(error, true), { status: 502, text: 'too large' });
});

t.test('an error without a code is an internal one', async (t) => {
  t.strictSame(failureOf(new TypeError('x'), false), { status: 502, text: FAILED, code: 'ERR_INTERNAL', headers: [] });
});

t.test('a refusal has the fields that its error names', async (t) => {
  const headers = ['Retry-After', '7'];
  const error = new RequestError('ERR_REQUEST_RATE', 'Too many requests.', { headers });
  t.strictSame(failureOf(error, false), { status: 429, text: 'Too many requests.', code: 'ERR_REQUEST_RATE', headers });
});
