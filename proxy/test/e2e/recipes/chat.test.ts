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
      ann.say('hello <b>Bob</b>');
      for (const one of [ann, bob]) await one.hears('Ann: hello <b>Bob</b>');
      bob.say('𝒳');
      for (const one of [ann, bob]) await one.hears('Ann: hello <b>Bob</b>', 'Bob ✓: 𝒳');
      eve.say('anybody here?');
      await eve.hears('Eve: anybody here?');
      for (const one of [ann, bob]) {
        await one.client.ping('still here');
        t.equal(one.said.length, 2);
      }
      const [text] = ann.lines.filter(({ type }) => type === 'text');
      t.match(text, { user: /^[\da-f]{16}$/, at: /^20\d\d-.*Z$/, id: /./ });
    });

    t.test('a name is kept by the proxy from one request to the next, and can be changed', async (t) => {
      const ann = await chat.enter(t, 'names');
      ann.say('nobody knows me');
      t.match(await ann.hear('error'), { text: /"name"/ });
      ann.say({ name: 'Ännchen' });
      const { user } = await ann.hear('you');
      const bob = await chat.join(t, 'names', 'Bob');
      ann.say({ name: 'Ann' });
      for (const one of [ann, bob]) t.match(await one.hear('renamed'), { user, from: 'Ännchen', name: 'Ann' });
      ann.say('it is me');
      for (const one of [ann, bob]) await one.hears('Ann: it is me');
      t.strictSame((await bob.who()).sort(), ['Ann', 'Bob']);
    });

    t.test('who comes later gets what was said before, and learns who is here', async (t) => {
      const ann = await chat.join(t, 'late', 'Ann');
      for (const text of ['one', 'two', 'three']) ann.say(text);
      await ann.hears('Ann: one', 'Ann: two', 'Ann: three');
      const bob = await chat.join(t, 'late', 'Bob');
      await bob.hears('Ann: one', 'Ann: two', 'Ann: three');
      await ann.notices('join', 'Bob');
      t.strictSame(await bob.who(), ['Ann', 'Bob']);
    });

    t.test('a message that is sent again is heard once; ids of two users are different ones', async (t) => {
      const ann = await chat.join(t, 'again', 'Ann');
      const bob = await chat.join(t, 'again', 'Bob');
      for (const one of [ann, ann, bob]) {
        one.say({ text: 'hello', id: '1' });
        t.match(await one.hear('sent'), { id: '1' });
      }
      bob.say({ text: 'that was all', id: '2' });
      for (const one of [ann, bob]) await one.hears('Ann: hello', 'Bob: hello', 'Bob: that was all');
      for (const id of ['', 'a b', 'x'.repeat(41), 7, {}, null]) {
        ann.say({ text: 'hello', id });
        t.match(await ann.hear('error'), { id });
      }
    });

    t.test('a key makes the same user of two connections, and others cannot see it', async (t) => {
      const [one, two] = [await chat.join(t, 'keys', 'Ann', 'my key'), await chat.join(t, 'keys', 'Ann', 'my key')];
      const bob = await chat.join(t, 'keys', 'Bob', 'my other key');
      const users = [one, two, bob].map(({ lines }) => lines.find(({ type }) => type === 'you')?.user);
      t.equal(users[0], users[1]);
      t.not(users[0], users[2]);
      t.strictSame((await bob.who()).sort(), ['Ann', 'Bob']);
      t.notMatch(JSON.stringify(bob.lines), 'my key');
    });

    t.test('the origin is restarted in mid-conversation: nobody is disconnected, and nothing is lost', async (t) => {
      const ann = await chat.join(t, 'restart', 'Ann');
      const bob = await chat.join(t, 'restart', 'Bob');
      await chat.stop();
      ann.say('are you');
      ann.say('there?');
      await ann.client.ping('not dead');
      await chat.restart();
      for (const one of [ann, bob]) await one.hears('Ann: are you', 'Ann: there?');
      bob.say('I am');
      await ann.hears('Ann: are you', 'Ann: there?', 'Bob: I am');
    });

    t.test('whoever closes, or vanishes, is reported to the room, and may come back', async (t) => {
      const ann = await chat.join(t, 'leaving', 'Ann');
      const bob = await chat.join(t, 'leaving', 'Bob');
      const { user } = bob.lines.find(({ type }) => type === 'you') ?? {};
      await ann.notices('join', 'Bob');
      // The code and reason are those with which the chat closes.
      t.strictSame(await bob.client.close(1000, 'good night'), { code: 1000, reason: '' });
      await ann.notices('leave', user as string);
      const again = await chat.join(t, 'leaving', 'Bob, again');
      await ann.notices('join', 'Bob, again');
      again.say('back');
      await ann.hears('Bob, again: back');
      const { user: second } = again.lines.find(({ type }) => type === 'you') ?? {};
      again.client.vanish();
      await ann.notices('leave', second as string);
      t.strictSame(await ann.who(), ['Ann']);
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
