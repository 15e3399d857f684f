/** A real browser: people who chat with each other by the page of the example, and what becomes of their words. */
import t from 'tap';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { makeCuttable } from '../holds/cuttable.js';
import { Chat } from './chat-example.js';
import { Person } from './chat-page.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: the chat is not tested with a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

const browser = await Chromium.start(t);

t.test('two tabs chat with each other: whose words, who is here, who comes and goes', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const ann = await Person.join(browser, `${holdfast.clients}/`, 'Ann');
  await ann.sees('Ann (you)');
  const bob = await Person.join(browser, `${holdfast.clients}/`, 'Bob ✓');
  await ann.notes('Bob ✓ is here');
  await bob.sees('Ann', 'Bob ✓ (you)');
  await ann.say('hello <b>Bob</b>');
  await bob.shows('Ann: hello <b>Bob</b>');
  await bob.say('hello Ann 𝒳');
  await ann.shows('(own) Ann: hello <b>Bob</b>', 'Bob ✓: hello Ann 𝒳');
  await bob.shows('Ann: hello <b>Bob</b>', '(own) Bob ✓: hello Ann 𝒳');
  const times = await ann.page.evaluate<string[]>(
    `[...document.querySelectorAll('time')].map(({ dateTime, textContent }) => dateTime + ' ' + textContent)`,
  );
  for (const time of times) t.match(time, /^20\d\d-\d\d-\d\dT.*Z \d\d?:\d\d/);
  await bob.page.type('name', '<i>Robert</i>');
  await bob.page.click('join');
  await ann.notes('Bob ✓ is now <i>Robert</i>');
  await ann.sees('<i>Robert</i>', 'Ann (you)');
  await bob.page.click('leave');
  await ann.notes('<i>Robert</i> has left');
  await ann.sees('Ann (you)');
  await holdfast.holds('ws', 1);
  await holdfast.record('of the end', ({ reason }) => reason === 'client-closed');
});

t.test('a page that is reloaded is the same user, and shows what was said before', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const ann = await Person.join(browser, `${holdfast.clients}/`, 'Ann');
  const bob = await Person.join(browser, `${holdfast.clients}/`, 'Bob');
  await ann.notes('Bob is here');
  await ann.say('one');
  await bob.shows('Ann: one');
  await ann.reload();
  await bob.say('two');
  await ann.enter('Ann');
  await ann.shows('(own) Ann: one', 'Bob: two');
  await ann.sees('Ann (you)', 'Bob');
  t.strictSame(await bob.lines('.note'), [], 'nobody has left or come for that');
});

t.test('a page that is closed by an item connects again, by itself, and goes on', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const ann = await Person.join(browser, `${holdfast.clients}/`, 'Ann');
  await holdfast.publish({
    channel: 'chat-lobby',
    formats: { 'ws-message': { action: 'close', code: 4000, reason: 'maintenance' } },
  });
  await ann.is('waiting');
  await ann.is('open');
  const bob = await Person.join(browser, `${holdfast.clients}/`, 'Bob');
  await bob.say('welcome back');
  await ann.shows('Bob: welcome back');
  t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="closed"}'), 1);
});

t.test('a page that was away gets what it missed, and what was written meanwhile is sent', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const wire = await makeCuttable(t, holdfast.clients);
  const ann = await Person.join(browser, `${wire.url}/`, 'Ann');
  const bob = await Person.join(browser, `${holdfast.clients}/`, 'Bob');
  await ann.say('one');
  await bob.shows('Ann: one');
  await ann.shows('(own) Ann: one');
  wire.sever();
  await ann.is('waiting');
  await ann.say('mine');
  await ann.shows('(own) Ann: one', '(own) Ann: mine [pending]');
  await bob.say('two');
  await bob.shows('Ann: one', '(own) Bob: two');
  await wire.mend();
  await ann.shows('(own) Ann: one', 'Bob: two', '(own) Ann: mine');
  await bob.shows('Ann: one', '(own) Bob: two', 'Ann: mine');
  t.strictSame(await ann.lines('.gap, .error'), []);
});

t.test('where what was missed is not kept, the page says so; what it wrote is sent all the same', async (t) => {
  const chat = await Chat.start(t, 'chat');
  const ann = await Person.join(browser, `${chat.holdfast.clients}/`, 'Ann');
  await ann.say('one');
  await ann.shows('(own) Ann: one');
  await chat.killHoldfast();
  await ann.is('waiting');
  await ann.say('two');
  await chat.restartHoldfast();
  await ann.notes('Messages may be missing here.');
  await ann.shows('(own) Ann: one', '(own) Ann: two');
  t.strictSame(await ann.lines('.gap'), ['Messages may be missing here.']);
});

t.test('a message that does not get through says so, and can be sent again: the room has it once', async (t) => {
  const chat = await Chat.start(t, 'chat', true);
  const ann = await Person.join(browser, `${chat.holdfast.clients}/`, 'Ann');
  const bob = await Person.join(browser, `${chat.holdfast.clients}/`, 'Bob');
  chat.control.sever();
  await ann.say('hello');
  await ann.shows('(own) Ann: hello [failed]');
  await chat.control.mend();
  await ann.page.evaluate(`document.querySelector('.text button').click()`);
  await ann.shows('(own) Ann: hello');
  await bob.shows('Ann: hello');
  // The page waits 10 s by its own clock; here it is a fast one.
  await ann.page.evaluate(`{
    const real = setTimeout;
    window.setTimeout = (then, ms) => real(then, ms / 100);
  }`);
  await chat.stop();
  await ann.say('are you there?');
  await ann.shows('(own) Ann: hello', '(own) Ann: are you there? [late]');
  await ann.page.evaluate(`document.querySelector('.text button').click()`);
  await chat.restart();
  await ann.shows('(own) Ann: hello', '(own) Ann: are you there?');
  await bob.shows('Ann: hello', 'Ann: are you there?');
});
