/** The fields that name a request to its origin: its id, and its trace. */
import { section } from './forward-rules.js';

const requestId = { name: 'X-Request-Id', folded: 'x-request-id' };

section('the id of a request', [
  {
    says: 'is the proxy’s to set: whatever an origin may take for it is removed',
    headers: ['x-request-id', 'a', 'X_Request_Id', 'b', 'X-Request.ID', 'c', 'X-Request-Ids', 'd'],
    request: { requestId: '7' },
    rules: { requestId },
    gets: ['X-Request-Ids', 'd', 'X-Request-Id', '7'],
  },
  {
    says: 'is not sent where the request has none, and the client’s is removed all the same',
    headers: ['X-Request-Id', 'a'],
    rules: { requestId },
    gets: [],
  },
  {
    says: 'passes as it came where no field is named',
    headers: ['X-Request-Id', 'a', 'X_Request_Id', 'b'],
    gets: ['X-Request-Id', 'a', 'X_Request_Id', 'b'],
  },
  {
    says: 'is what the route says where that names the field',
    headers: ['X-Request-Id', 'a'],
    request: { requestId: '7', routeHeaders: [['x-request-id', 'fixed']] },
    rules: { requestId },
    gets: ['x-request-id', 'fixed'],
  },
]);

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const context = { traceId: TRACE, spanId: SPAN, flags: 1, state: '' };
const traced = (state: string) => ({ trace: { context: { ...context, state }, end() {} } });

section('the trace of a request', [
  {
    says: 'is the proxy’s to set: what the client sent is removed',
    headers: ['Traceparent', 'a', 'traceparent', 'b', 'TRACESTATE', 'c', 'baggage', 'd'],
    request: traced(''),
    rules: { traces: true },
    gets: ['baggage', 'd', 'traceparent', `00-${TRACE}-${SPAN}-01`],
  },
  {
    says: 'has a state where there is one',
    request: traced('a=1,b=2'),
    rules: { traces: true },
    gets: ['traceparent', `00-${TRACE}-${SPAN}-01`, 'tracestate', 'a=1,b=2'],
  },
  {
    says: 'is not sent where the request has none, and the client’s is removed all the same',
    headers: ['traceparent', 'a', 'tracestate', 'c'],
    rules: { traces: true },
    gets: [],
  },
  {
    says: 'passes as it came where traces are not followed',
    headers: ['traceparent', 'a', 'tracestate', 'c'],
    gets: ['traceparent', 'a', 'tracestate', 'c'],
  },
  {
    says: 'is what the route says where that names the field',
    request: { ...traced('a=1'), routeHeaders: [['Traceparent', 'fixed']] },
    rules: { traces: true },
    gets: ['Traceparent', 'fixed'],
  },
]);
