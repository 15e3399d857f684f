/** A client that is gone before its request is read has no address any more: it must not pass for one on a unix socket. */
import t from 'tap';
import { startApp } from '../kit/app.js';
import { startOrigin } from '../kit/origins/origin.js';

for (const edge of ['node', 'uws']) {
  t.test(`${edge}: it is limited, and not trusted`, async (t) => {
    const origin = await startOrigin(t, (_, response) => response.end());
    const app = await startApp(t, {
      settings: { edge, trusted_proxies: 'unix', x_forwarded_for: 'append' },
      routes: [`*,limit_rate=1/h:5 ${origin.target}`],
    });
    const clients = await Promise.all(Array.from({ length: 40 }, () => app.connect()));
    const request = 'GET /gone HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.66\r\n\r\n';
    // All in one turn: the node reads them when they are gone.
    for (const client of clients) {
      client.socket.write(request);
      client.reset();
    }
    const last = await app.send('GET /last HTTP/1.1\r\nHost: a\r\n\r\n');
    await last.answer();
    t.ok(origin.seen.length <= 10, `${origin.seen.length} requests`);
    for (const { headers } of origin.seen) t.notMatch(String(headers['x-forwarded-for']), '203.0.113.66');
  });
}
