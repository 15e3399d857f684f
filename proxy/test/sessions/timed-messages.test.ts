import type { WsKeepAlive, WsSendDelayed } from '@holdfast/grip';
import t from 'tap';
import { TimedMessages } from '../../dist/sessions/session-writer.js';
import { ManualClock } from '../kit/manual-clock.js';

/** Timed messages whose sends are written down. */
function timed(random = () => 0) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const messages = new TimedMessages(clock, random, (type, content) => sent.push(`${type} ${content}`), {});
  /** What is sent within so many ms. */
  const within = (ms: number): string[] => {
    clock.advance(ms);
    return sent.splice(0);
  };
  return { clock, messages, within };
}

const keepAlive = (over: Partial<WsKeepAlive> = {}): WsKeepAlive => ({
  ...{ type: 'keep-alive', content: Buffer.from('alive'), messageType: 'text', timeout: 10, mode: 'idle' },
  ...over,
});

const delayed = (content: string, timeout = 1): WsSendDelayed => ({
  ...{ type: 'send-delayed', content: Buffer.from(content), messageType: 'text', timeout },
});

t.test('an idle keep-alive counts from whatever was sent last', async (t) => {
  const { messages, within } = timed();
  messages.keepAlive(keepAlive());
  t.strictSame(within(9_000), []);
  messages.sent();
  t.strictSame(within(9_999), []);
  t.strictSame(within(1), ['text alive']);
  t.strictSame(within(20_000), ['text alive', 'text alive']);
});

t.test('a keep-alive at intervals counts from the last of its own', async (t) => {
  const { messages, within } = timed();
  messages.keepAlive(keepAlive({ mode: 'interval' }));
  within(9_000);
  messages.sent();
  t.strictSame(within(1_000), ['text alive']);
  t.strictSame(within(30_000).length, 3);
});

t.test('up to a second is taken off each period at random', async (t) => {
  const { messages, within } = timed(() => 0.5);
  messages.keepAlive(keepAlive());
  t.strictSame(within(9_499), []);
  t.strictSame(within(1), ['text alive']);
});

t.test('a new keep-alive takes the place of the old; one without content ends it', async (t) => {
  const { clock, messages, within } = timed();
  messages.keepAlive(keepAlive());
  messages.keepAlive(keepAlive({ content: Buffer.from('new'), messageType: 'ping', timeout: 20 }));
  t.strictSame(within(20_000), ['ping new']);
  const { content: _, ...none } = keepAlive();
  messages.keepAlive(none);
  t.equal(clock.pending, 0);
  messages.sent();
  t.strictSame(within(100_000), []);
});

t.test('a delayed message goes out once; one that waits goes out before its successor', async (t) => {
  const { clock, messages, within } = timed();
  messages.delay(delayed('a', 5));
  t.strictSame(within(4_999), []);
  t.strictSame(within(1), ['text a']);
  messages.delay(delayed('b', 5));
  within(3_000);
  messages.delay(delayed('c', 5));
  t.strictSame(within(0), ['text b']);
  t.strictSame(within(2_000), [], 'the old time is forgotten');
  t.strictSame(within(3_000), ['text c']);
  t.equal(clock.pending, 0);
});

t.test('a flush sends what waits, and nothing when nothing does', async (t) => {
  const { clock, messages, within } = timed();
  messages.flush();
  messages.delay(delayed('a', 100));
  messages.flush();
  messages.flush();
  t.strictSame(within(0), ['text a']);
  t.equal(clock.pending, 0);
});

t.test('after the stop nothing is sent any more', async (t) => {
  const { clock, messages, within } = timed();
  messages.keepAlive(keepAlive());
  messages.delay(delayed('a'));
  messages.stop();
  messages.flush();
  t.equal(clock.pending, 0);
  t.strictSame(within(100_000), []);
});
