/** The chat of the examples, as an application and as a function: people in rooms, behind the real proxy. */
import t from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { Chat, type ChatName, chats } from './chat-example.js';

for (const name of Object.keys(chats) as ChatName[]) {
  t.test(name, async (t) => {
    const chat = await Chat.start(t, name);

    t.test('what is said is heard by everybody in the room, the speaker included, and in no other room', async (t) => {
      const ann = await chat.join(t, 'blue', 'Ann');
      const bob = await chat.join(t, 'blue', 'Bob ✓');
      const eve = await chat.join(t, 'red', 'Eve');
      t.strictSame(await ann.hear(), { type: 'note', text: 'Bob ✓ is here' });
      ann.say('hello <b>Bob</b>');
      for (const one of [ann, bob])
        t.strictSame(await one.hear(), { type: 'text', from: 'Ann', text: 'hello <b>Bob</b>' });
      bob.say('𝒳');
      for (const one of [ann, bob]) t.strictSame(await one.hear(), { type: 'text', from: 'Bob ✓', text: '𝒳' });
      eve.say('anybody here?');
      t.strictSame(await eve.hear(), { type: 'text', from: 'Eve', text: 'anybody here?' });
      for (const one of [ann, bob]) {
        await one.client.ping('still here');
        t.equal(one.client.untaken, 0);
      }
    });

    t.test('a name is kept by the proxy from one request to the next, and can be changed', async (t) => {
      const ann = await chat.enter(t, 'names');
      ann.say('nobody knows me');
      t.match(await ann.hear(), { type: 'error' });
      ann.say({ name: 'Ännchen' });
      t.strictSame(await ann.hear(), { type: 'note', text: 'Ännchen is here' });
      ann.say({ name: 'Ann' });
      t.strictSame(await ann.hear(), { type: 'note', text: 'Ännchen is now Ann' });
      ann.say('it is me');
      t.strictSame(await ann.hear(), { type: 'text', from: 'Ann', text: 'it is me' });
    });

    t.test('the origin is restarted in mid-conversation: nobody is disconnected, and nothing is lost', async (t) => {
      const ann = await chat.join(t, 'restart', 'Ann');
      const bob = await chat.join(t, 'restart', 'Bob');
      t.match(await ann.hear(), { text: 'Bob is here' });
      await chat.stop();
      ann.say('are you');
      ann.say('there?');
      await ann.client.ping('not dead');
      await chat.restart();
      for (const text of ['are you', 'there?']) {
        for (const one of [ann, bob]) t.strictSame(await one.hear(), { type: 'text', from: 'Ann', text });
      }
      bob.say('I am');
      t.strictSame(await ann.hear(), { type: 'text', from: 'Bob', text: 'I am' });
    });

    t.test('whoever closes, or vanishes, is reported to the room, and may come back', async (t) => {
      const ann = await chat.join(t, 'leaving', 'Ann');
      const bob = await chat.join(t, 'leaving', 'Bob');
      t.match(await ann.hear(), { text: 'Bob is here' });
      // The code and reason are those with which the chat closes.
      t.strictSame(await bob.client.close(1000, 'good night'), { code: 1000, reason: '' });
      t.strictSame(await ann.hear(), { type: 'note', text: 'Bob has left' });
      const again = await chat.join(t, 'leaving', 'Bob');
      t.match(await ann.hear(), { text: 'Bob is here' });
      again.say('back');
      t.strictSame(await ann.hear(), { type: 'text', from: 'Bob', text: 'back' });
      again.client.vanish();
      t.strictSame(await ann.hear(), { type: 'note', text: 'Bob has left' });
    });

    t.test('a close without a code is answered with that of the chat', async (t) => {
      const ann = await chat.join(t, 'closing', 'Ann');
      t.strictSame(await ann.client.close(), { code: 1000, reason: '' });
    });

    t.test('the page is served, and what is no room refuses the WebSocket', async (t) => {
      const { clients } = chat.holdfast;
      const page = await ask(t, `${clients}/`);
      t.match(page, { status: 200, headers: { 'content-type': /^text\/html/ }, text: /<title>Chat<\/title>/ });
      t.match(await ask(t, `${clients}/rooms/blue`), { status: 400, text: 'Open a WebSocket here.\n' });
      await t.rejects(openWs(t, wsUrl(clients, '/rooms/not%20a%20room')), {
        message: 'Unexpected server response: 404',
      });
    });
  });
}
