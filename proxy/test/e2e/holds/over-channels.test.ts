/** An origin that names more channels than one connection may have: who runs the node is told, on both edges. */
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho } from '../../kit/echo-fixture.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { kinds } from '../../kit/origins/echo-origin.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';

const warned = (line: Readonly<Record<string, unknown>>) => line.option === 'connection_subscription_max';

for (const edge of ['node', 'uws']) {
  t.test(`edge ${edge}: holds and sessions`, async (t) => {
    const names = Array.from({ length: 5 }, (_, i) => `c${i}`);
    const http = await startOrigin(t, (_request, response) => {
      response.writeHead(200, streamHold(names.join(', '))).end('open\n');
    });
    const echo = await startEcho(t, 'direct');
    const holdfast = await startHoldfast(t, {
      settings: { edge, connection_subscription_max: 3, log_format: 'json', log_level: 'warn' },
      routes: [`*,id=web ${http.target}`, `*,id=sockets,proto=ws ${echo.target}${kinds.direct}`],
    });
    const stream = await open(t, holdfast.clients);
    await stream.until('open\n');
    t.match(await holdfast.record('for the hold', (line) => warned(line) && line.route === 'web'), {
      level: 'warn',
      channels: 5,
      limit: 3,
      channel: 'c3',
    });
    await holdfast.publish(...names.map((name) => streamItem(name, `${name}\n`)));
    await stream.until('c2\n');
    t.equal(stream.text, 'open\nc0\nc1\nc2\n');

    const socket = await openWs(t, wsUrl(holdfast.clients));
    for (const name of names) socket.send(`!subscribe ${name}`);
    const told = holdfast.record('for the session', (line) => warned(line) && line.route === 'sockets');
    t.match(await told, { level: 'warn', limit: 3, channel: 'c3' });
  });
}
