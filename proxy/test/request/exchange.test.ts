import { silentLog } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import t from 'tap';
import type { SubscriberEnd } from '../../dist/channels/subscriber-deps.js';
import type { ClientRequest, ClientResponse, ResponseHandler } from '../../dist/edge/port.js';
import { OriginError } from '../../dist/errors.js';
import type { AnswerSink, OriginHandler } from '../../dist/origin/port.js';
import { Admission } from '../../dist/request/admission.js';
import { Exchange, type SinkChoice } from '../../dist/request/exchange.js';
import type { RequestDeps, RequestEnd } from '../../dist/request/request-deps.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { realClock } from '../../dist/runtime/clock.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';

const HEAD: ResponseHead = { status: 200, reason: 'OK', headers: [] };
const END: SubscriberEnd = { kind: 'response', reason: 'closed', items: 0, dropped: 0, duration: 0, channels: [] };
const gone = () => new OriginError('ERR_ORIGIN_CLOSED', 'closed', 'no');

const sink: AnswerSink = { onData: () => true, onEnd() {}, onError() {} };

/** An exchange with its first request sent, and all that it reports; no sockets. */
function fixture(choose: SinkChoice = () => sink) {
  const ends: RequestEnd[] = [];
  const written: string[] = [];
  const handlers: OriginHandler[] = [];
  let owner: ResponseHandler | undefined;
  let aborted = 0;
  let holdsEnded = 0;
  const response = {
    setHandler: (next: ResponseHandler) => {
      owner = next;
    },
    writeHead: ({ status }: ResponseHead) => void written.push(`head ${status}`),
    end: (body?: Buffer) => void written.push(`end ${body ?? ''}`),
    abort: () => void written.push('abort'),
    bodyBytes: 0,
  };
  const route = toRoute(parseRouteLine('* a.example:80', 1) as RouteLine, () => undefined);
  const admission = new Admission(1);
  const parts = {
    settings: { debug: false, requestBodyMax: 1_000 },
    routes: () => ({ current: () => route }),
    originOf: () => ({
      dispatch: (_: unknown, handler: OriginHandler) => {
        handlers.push(handler);
        return { resume() {}, abort: () => void aborted++ };
      },
    }),
    forwarder: { forward: () => ({ host: 'a', path: '/', headers: [] }) },
    admission,
    clock: realClock,
    events: { requestEnded: (end: RequestEnd) => void ends.push(end), holdEnded: () => void holdsEnded++ },
    log: silentLog,
  } as unknown as RequestDeps;
  const request = { id: '1', method: 'GET', path: '/', host: 'a', headers: [], body: undefined };
  const trust = { secure: false, trusted: false };
  const exchange = new Exchange(
    request as unknown as ClientRequest,
    response as unknown as ClientResponse,
    route,
    trust,
    parts,
    choose,
  );
  exchange.start();
  return {
    exchange,
    ends,
    written,
    handlers,
    owner: () => owner,
    aborted: () => aborted,
    holdsEnded: () => holdsEnded,
    /** Whether another request would be admitted. */
    isFree: () => {
      let free = false;
      const entrant = {
        admitted: () => {
          free = true;
        },
      };
      admission.enter(entrant);
      if (free) admission.leave();
      else admission.withdraw(entrant);
      return free;
    },
  };
}

const hold = { refuse() {}, view: () => new RecordingSubscriber().view() };

t.test('a request is reported once, whatever comes after its end', async (t) => {
  const { exchange, ends, handlers, isFree, aborted } = fixture();
  t.equal(isFree(), false);
  handlers[0]?.onHead(HEAD, undefined);
  exchange.relaying(200);
  exchange.over(undefined);
  t.equal(isFree(), true);
  exchange.onGone();
  exchange.fail(gone());
  exchange.held('stream', 200, hold);
  exchange.answered(200);
  exchange.holdEnded(END);
  t.strictSame(
    ends.map(({ status, error, hold }) => [status, error, hold]),
    [[200, undefined, undefined]],
  );
  t.ok(aborted() > 0);
});

t.test('a relayed answer is neither held nor asked for again', async (t) => {
  const { exchange, ends, handlers } = fixture();
  handlers[0]?.onHead(HEAD, undefined);
  exchange.relaying(200);
  exchange.held('response', 200, hold);
  exchange.holdRetry(END, new Map());
  t.equal(handlers.length, 1);
  t.strictSame(ends, []);
  exchange.over(undefined);
  t.match(ends, [{ status: 200, hold: undefined, retry: false }]);
});

t.test('a head that comes too late reaches no sink', async (t) => {
  let chosen = 0;
  const { exchange, ends, handlers } = fixture(() => {
    chosen++;
    throw new Error('not to be asked');
  });
  exchange.onGone();
  const sink = handlers[0]?.onHead(HEAD, undefined);
  t.equal(sink?.onData(Buffer.from('late')), true);
  sink?.onEnd();
  t.equal(chosen, 0);
  t.match(ends, [{ status: 0, error: 'ERR_REQUEST_CLIENT_GONE' }]);
});

t.test('the sink that was chosen is what the origin gets', async (t) => {
  const { handlers, ends } = fixture();
  t.equal(handlers[0]?.onHead(HEAD, undefined), sink);
  t.strictSame(ends, []);
});

t.test('a refusal in the choice is answered, and the origin is given up', async (t) => {
  const { handlers, ends, written, aborted, owner, exchange } = fixture(() => {
    throw new OriginError('ERR_ORIGIN_CODING', 'unknown', 'no');
  });
  handlers[0]?.onHead(HEAD, undefined);
  t.strictSame(written, ['head 502', 'end Error while proxying to origin.\n']);
  t.match(ends, [{ status: 502, error: 'ERR_ORIGIN_CODING', target: 'a.example:80' }]);
  t.equal(aborted(), 1);
  t.equal(owner(), exchange);
});

t.test('a fault in the choice is thrown to the call, whose error is answered 500', async (t) => {
  const { handlers, ends, written } = fixture(() => {
    throw new Error('a fault');
  });
  t.throws(() => handlers[0]?.onHead(HEAD, undefined), /a fault/);
  handlers[0]?.onError(new OriginError('ERR_ORIGIN_FAULT', 'Internal error.', 'no'));
  t.strictSame(written, ['head 500', 'end Internal error.\n']);
  t.match(ends, [{ status: 500, error: 'ERR_ORIGIN_FAULT' }]);
});

t.test('a response hold releases the call, and may have the origin asked again: with another report', async (t) => {
  const { exchange, handlers, ends, holdsEnded, isFree } = fixture();
  handlers[0]?.onHead(HEAD, undefined);
  exchange.held('response', 200, hold);
  t.equal(isFree(), true);
  exchange.holdRetry(END, new Map([['a', '1']]));
  t.equal(handlers.length, 2);
  t.equal(isFree(), false);
  handlers[1]?.onHead({ ...HEAD, status: 201 }, undefined);
  exchange.relaying(201);
  exchange.over(undefined);
  t.strictSame(
    ends.map(({ status, hold, retry }) => [status, hold, retry]),
    [
      [200, 'response', false],
      [201, undefined, true],
    ],
  );
  t.equal(holdsEnded(), 1);
});

t.test('a hold that ends before it was reported as one is a request whose client is gone', async (t) => {
  const { exchange, handlers, ends, holdsEnded, aborted } = fixture();
  handlers[0]?.onHead(HEAD, undefined);
  exchange.holdEnded(END);
  t.match(ends, [{ hold: undefined, error: 'ERR_REQUEST_CLIENT_GONE' }]);
  t.equal(holdsEnded(), 1);
  t.equal(aborted(), 1);
});
