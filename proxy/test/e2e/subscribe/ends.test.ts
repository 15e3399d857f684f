/** What is held by a token ends with it, for clients as they are: `EventSource`, WebSocket and a long poll. */
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { ask, open } from '../../kit/clients/http-client.js';
import { WsClient } from '../../kit/clients/ws-client.js';
import { type Holdfast, streamItem } from '../../kit/holdfast.js';
import { bearer, now, startSubscribe, token } from './tokens.js';

/** The `exp` of a token that is used at once. */
interface Soon {
  readonly exp: number;
  readonly text: string;
}

/** Uses a token that counts for a moment; on a machine so busy that it is over by then, one that counts for longer. */
async function soon<Held>(use: (by: Soon) => Promise<Held | undefined>): Promise<{ held: Held; exp: number }> {
  for (let lasts = 2; ; lasts *= 2) {
    const exp = now() + lasts;
    const held = await use({ exp, text: token({ sub: 'u', channels: ['a'], exp }) });
    if (held !== undefined) return { held, exp };
  }
}

/** Clocks are rounded. */
const isOver = (exp: number): boolean => Date.now() >= exp * 1_000 - 3;

/** Undefined where the token is refused. */
function socket(t: Test, holdfast: Holdfast, text: string): Promise<WsClient | undefined> {
  const made = new WebSocket(`${holdfast.clients.replace('http', 'ws')}/sub?channel=a`, { headers: bearer(text) });
  t.teardown(() => made.terminate());
  const client = new WsClient(made);
  return new Promise((resolve) => {
    made.once('open', () => resolve(client)).once('unexpected-response', () => resolve(undefined));
  });
}

for (const edge of ['node', 'uws']) {
  t.test(edge, { jobs: 4 }, async (t) => {
    const holdfast = await startSubscribe(t, { settings: { edge } });
    const url = `${holdfast.clients}/sub?channel=a`;

    const events = async (t: Test) => {
      const { held: code, exp } = await soon(async ({ text }) => {
        const source = new EventSource(url, {
          fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...bearer(text) } } as RequestInit),
        });
        t.teardown(() => source.close());
        const opened = new Promise<true>((resolve) => source.addEventListener('open', () => resolve(true)));
        // The first error is the end of the stream, and has none: the client comes back, and is refused for good.
        const refused = new Promise<number>((resolve) => {
          source.addEventListener('error', ({ code }) => {
            if (code !== undefined) resolve(code);
          });
        });
        if ((await Promise.race([opened, refused])) !== true) return undefined;
        await holdfast.publish(streamItem('a', 'retry: 5\n\n'));
        return refused;
      });
      t.equal(code, 401);
      t.ok(isOver(exp));
    };

    const poll = async (t: Test) => {
      const exp = now() + 2;
      const headers = bearer(token({ channels: ['a'], exp }));
      t.match(await ask(t, `${holdfast.clients}/sub/poll?channel=a`, { headers }), { status: 401 });
      t.ok(isOver(exp));
    };

    const session = async (t: Test) => {
      const { held, exp } = await soon(({ text }) => socket(t, holdfast, text));
      t.strictSame(await held.end(), { code: 4401, reason: 'expired' });
      t.ok(isOver(exp));
    };

    const renewed = async (t: Test) => {
      const { held, exp } = await soon(async ({ text }) => {
        const client = await socket(t, holdfast, text);
        client?.send(JSON.stringify({ token: token({ sub: 'u', channels: ['a'] }) }));
        const answer = await client?.text().catch(() => undefined);
        return answer === '{"holdfast":"ok"}' ? client : undefined;
      });
      // Another one by the same time shows that it is over.
      const other = await open(t, url, { headers: bearer(token({ channels: ['a'], exp: Math.max(exp, now() + 1) })) });
      await other.end();
      t.ok(isOver(exp));
      await holdfast.publish({ channel: 'a', formats: { 'ws-message': { content: 'still here' } } });
      t.equal(await held.text(), 'still here');
    };

    // All at the same time: they only wait.
    await Promise.all([
      t.test('an EventSource comes back, and is refused', events),
      t.test('a long poll is refused', poll),
      t.test('a WebSocket is closed with 4401', session),
      t.test('a WebSocket with another token stays', renewed),
    ]);
  });
}
