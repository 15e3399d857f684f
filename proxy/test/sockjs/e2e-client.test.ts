/** The real `sockjs-client` in Node through the real command, by each of its transports, to origins of both kinds. */
import t from 'tap';
import { type Kind, kinds } from '../kit/origins/echo-origin.js';
import { E2eFixture } from './e2e-fixture.js';
import { NodeClient, nodeTransports } from './node-client.js';

/** What gets lost where it is not escaped: in frames, in forms, in events, or between browsers and servers. */
const AWKWARD = [
  'plain',
  '',
  'quotes " \' \\ and < > & % %25 + = ; #',
  'lines \r\n\u2028\u2029 and \u0000\u001f\u007f',
  'é ✓ 𝒳 \ufffd\uffff\u200d\u206f',
  'a["looks like a frame"]',
  '  spaces  ',
];

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`an origin that is ${kind}`, async (t) => {
    const fixture = await E2eFixture.start(t, kind);
    for (const transport of nodeTransports) {
      const openedAt = transport === 'websocket' ? '/echo/websocket' : '/echo';

      t.test(`${transport}: messages both ways, whatever is in them, in order`, async (t) => {
        const client = await NodeClient.open(t, fixture.url, transport);
        await fixture.origin.saw(`open ${openedAt}`);
        for (const text of AWKWARD) client.send(text);
        t.strictSame(await client.got(AWKWARD.length), AWKWARD);
        const many = Array.from({ length: 300 }, (_, n) => `message ${n}`);
        for (const text of many) client.send(text);
        t.strictSame((await client.got(AWKWARD.length + many.length)).slice(AWKWARD.length), many);
      });

      t.test(`${transport}: more than one stream takes`, async (t) => {
        const client = await NodeClient.open(t, fixture.url, transport);
        for (let n = 0; n < 8; n++) {
          const text = `${n}`.repeat(40_000);
          client.send(text);
          t.equal((await client.got(n + 1))[n], text);
        }
      });

      t.test(`${transport}: published items are messages, and an item closes`, async (t) => {
        const client = await NodeClient.open(t, fixture.url, transport);
        const channel = `${kind}-${transport}`;
        client.send(`!subscribe ${channel}`);
        client.send('subscribed');
        await client.got(1);
        const publish = (format: object) => fixture.holdfast.publish({ channel, formats: { 'ws-message': format } });
        const [receipt] = await publish({ content: 'item "1" ✓' });
        t.equal(receipt?.subscribers, 1);
        await publish({ 'content-bin': Buffer.from([0x62, 0xff]).toString('base64') });
        t.strictSame((await client.got(3)).slice(1), ['item "1" ✓', 'b\ufffd']);
        await publish({ action: 'close', code: 4002, reason: 'over' });
        t.equal(await client.end(), '4002 over');
      });

      t.test(`${transport}: the origin's close arrives with code and reason, after what was said before`, async (t) => {
        const client = await NodeClient.open(t, fixture.url, transport);
        client.send('last words');
        client.send('!close 4001 bye "you"');
        t.equal(await client.end(), '4001 bye "you"');
        t.strictSame(client.messages, ['last words']);
      });
    }
  });

  t.test(`an origin that is ${kind} hears when clients close`, async (t) => {
    const fixture = await E2eFixture.start(t, kind);
    for (const [index, transport] of nodeTransports.entries()) {
      const client = await NodeClient.open(t, fixture.url, transport);
      client.send('here');
      await client.got(1);
      client.close();
      // Other than a WebSocket, what the library does is to break off.
      if (transport === 'websocket') await fixture.origin.saw('close 1000');
      else await fixture.origin.saw('close 1005', index);
      await fixture.holdfast.holds('ws', 0);
    }
  });
}
