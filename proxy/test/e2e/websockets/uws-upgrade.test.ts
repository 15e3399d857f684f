import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';

const CLIENTS = 64;

/**
 * What glibc writes over memory that is freed: where an answer kept whether it was the last of its connection, and whether
 * it was complete, this says that it was both.
 */
const FREED = '16';

/** An allocator that moves what shrinks; Debian installs it with Redis. */
const JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2';

/** Opens WebSockets through a Holdfast with this environment, and sends a message through each. */
async function exchange(t: Test, env: Readonly<Record<string, string>>, complaints?: RegExp): Promise<void> {
  const { holdfast } = await startEchoFixture(t, 'over-http', {
    settings: { edge: 'uws' },
    env,
    ...(complaints === undefined ? {} : { complaints }),
  });
  const url = wsUrl(holdfast.url('clients'));
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openWs(t, url)));
  for (const client of clients) client.send('there?');
  const answers = await Promise.all(clients.map((client) => client.text()));
  t.strictSame(
    answers,
    clients.map(() => 'there?'),
  );
}

t.test('uws: an upgrade does not depend on memory that it has freed', (t) =>
  // Without its cache for each thread, which hands memory out again as it was.
  exchange(t, { MALLOC_PERTURB_: FREED, GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0' }),
);

t.test('uws: nor on memory that stays in its place', { skip: !existsSync(JEMALLOC) && 'there is no jemalloc' }, (t) =>
  // Then fields leave one by one, and the library warns of each handshake.
  exchange(t, { LD_PRELOAD: JEMALLOC }, /^(?:Warning: uWS.HttpResponse writes must be made .*\n)+$/),
);
