import t from 'tap';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';

const CLIENTS = 64;

/**
 * What glibc writes over memory that is freed: where an answer kept whether it was the last of its connection, and whether
 * it was complete, this says that it was both.
 */
const FREED = '16';

t.test('uws: an upgrade does not depend on memory that it has freed', async (t) => {
  const { holdfast } = await startEchoFixture(t, 'over-http', {
    settings: { edge: 'uws' },
    env: { MALLOC_PERTURB_: FREED },
  });
  const url = wsUrl(holdfast.url('clients'));
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openWs(t, url)));
  for (const client of clients) client.send('there?');
  const answers = await Promise.all(clients.map((client) => client.text()));
  t.strictSame(
    answers,
    clients.map(() => 'there?'),
  );
});
