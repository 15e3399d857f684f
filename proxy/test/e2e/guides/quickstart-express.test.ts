import t from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { until } from '../../kit/until.js';
import { follow } from './quickstart.js';

t.test('the quick start for Express keeps its promise', (t) => {
  const start = () => ({ command: process.execPath, args: ['server.mjs'] });
  return follow(t, { page: 'express', port: 3000, start }, async ({ clients, holdfast, add }) => {
    const poll = ask(t, `${clients}/messages/next`);
    await holdfast.holds('response', 1);
    await add('to the long poll');
    t.strictSame(JSON.parse((await poll).text), { text: 'to the long poll' });

    const socket = await openWs(t, wsUrl(clients, '/messages/socket'));
    await until('it is subscribed', async () => {
      const { subscribers } = JSON.parse((await ask(t, `${holdfast.control}/channels/messages`)).text);
      return subscribers.ws === 1;
    });
    socket.socket.send('of the client');
    await add('to the WebSocket');
    t.strictSame(JSON.parse(await socket.text()), { text: 'to the WebSocket' });
    await socket.close(1000);

    const refused = openWs(t, wsUrl(clients, '/messages/socket'), { origin: 'https://elsewhere.example' });
    await t.rejects(refused, { message: /403/ });
    await t.rejects(openWs(t, wsUrl(clients, '/messages')), { message: /Unexpected server response/ });
    t.match(await ask(t, `${clients}/messages/socket`, { method: 'POST', body: 'OPEN\r\n' }), { status: 400 });
    const messages = JSON.parse((await ask(t, `${clients}/messages`)).text);
    t.equal(messages.length, 3, 'no handshake has added one');
  });
});
