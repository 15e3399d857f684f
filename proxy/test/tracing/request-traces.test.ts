/** What spans of requests are called, and say. */
import { ATTRIBUTE_CHARS } from '@holdfast/control-api';
import t from 'tap';
import type { Route } from '../../dist/routes/route.js';
import { outcomeOf, pathOf, spanName, withoutBaggage } from '../../dist/tracing/request-traces.js';

t.test('a name is of a known method and the id of a route', async (t) => {
  const route = (id?: string) => ({ id }) as Route;
  t.equal(spanName({ method: 'GET' }, route('api')), 'GET api');
  t.equal(spanName({ method: 'GET' }, route()), 'GET');
  t.equal(spanName({ method: 'X-ANYTHING' }, undefined), 'HTTP');
  t.equal(spanName({ method: 'get' }, undefined), 'HTTP');
});

t.test(`a path has no query, and ${ATTRIBUTE_CHARS} characters at most`, async (t) => {
  t.equal(pathOf('/a/b?token=s3cret'), '/a/b');
  t.equal(pathOf('/a'), '/a');
  t.equal(pathOf('/?'), '/');
  const long = `/${'a'.repeat(ATTRIBUTE_CHARS)}`;
  t.equal(pathOf(long), long.slice(0, ATTRIBUTE_CHARS));
  t.equal(pathOf(`${long}?b`), long.slice(0, ATTRIBUTE_CHARS));
});

t.test('a failure is one of the server, or a client that is gone', async (t) => {
  t.strictSame(outcomeOf(200, undefined)[1], undefined);
  t.strictSame(outcomeOf(404, 'ERR_A')[1], undefined);
  t.strictSame(outcomeOf(502, 'ERR_A')[1], 'ERR_A');
  t.strictSame(outcomeOf(503, undefined)[1], '503');
  t.strictSame(outcomeOf(0, 'ERR_GONE'), [
    { 'http.response.status_code': undefined, 'holdfast.hold': undefined },
    'ERR_GONE',
  ]);
});

t.test('fields without Baggage are the same list where there is none', async (t) => {
  const none = ['A', '1', 'Baggages', '2'];
  t.equal(withoutBaggage(none), none);
  t.strictSame(withoutBaggage(['A', '1', 'BAGGAGE', 'x', 'baggage', 'y', 'B', '2']), ['A', '1', 'B', '2']);
});
