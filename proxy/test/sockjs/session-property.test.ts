import fc from 'fast-check';
import t from 'tap';
import type { FakeResponse } from './fake-response.js';
import { SockJsFixture } from './sockjs-fixture.js';

type Step = 'say' | 'say-much' | 'poll' | 'stream' | 'slow' | 'drain' | 'wait' | 'turn' | 'send';

const step = fc.constantFrom<Step>('say', 'say-much', 'poll', 'stream', 'slow', 'drain', 'wait', 'turn', 'send');

/** The messages in the frames of an answer. */
function messagesIn({ text }: FakeResponse): string[] {
  const frames = text.split('\n').filter((line) => line.startsWith('a'));
  return frames.flatMap((frame) => JSON.parse(frame.slice(1)) as string[]);
}

t.test('however requests come and go, each message arrives once and in order, both ways', async (t) => {
  let total = 0;
  let runs = 0;
  const fixture = new SockJsFixture();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const id = `s${runs++}`;
      const session = fixture.open(id);
      const openedBefore = fixture.opened.length;
      const said: string[] = [];
      const sent: string[] = [];
      const answers: FakeResponse[] = [];
      const say = (text: string) => {
        said.push(text);
        session.say(text);
      };
      for (const [n, what] of steps.entries()) {
        if (what === 'say') say(`${n}`);
        else if (what === 'say-much') say(`${n}${'.'.repeat(50_000)}`);
        else if (what === 'poll') answers.push(fixture.poll(id));
        else if (what === 'stream') answers.push(fixture.stream(id));
        else if (what === 'turn') await fixture.turn();
        else if (what === 'wait') fixture.clock.advance(900);
        else if (what === 'send') {
          sent.push(`${n}`);
          fixture.send(id, `["${n}"]`);
        } else {
          const open = answers.filter(({ state }) => state === 'open');
          for (const answer of open) {
            if (what === 'drain') answer.drain();
            else answer.takes = false;
          }
        }
        // Nobody is away for so long that the session would be given up.
        if (n % 4 === 3) answers.push(fixture.poll(id));
      }
      for (const answer of answers) if (answer.state === 'open') answer.drain();
      await fixture.turn();
      answers.push(fixture.poll(id));
      const arrived = answers.flatMap(messagesIn);
      total += arrived.length;
      const taken = session.events.filter((line) => line.startsWith('text ')).map((line) => line.slice(5));
      // The client goes, and its session is forgotten: there may be only so many.
      for (const answer of answers) if (answer.state === 'open') answer.leave();
      fixture.clock.advance(5_000);
      return (
        arrived.join() === said.join() &&
        taken.join() === sent.join() &&
        fixture.opened.length === openedBefore &&
        fixture.sessions === 0
      );
    }),
    { numRuns: 300 },
  );
  t.ok(total > 300, `${total} messages`);
});
