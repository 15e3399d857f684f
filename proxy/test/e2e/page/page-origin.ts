/** An application for the live page: it holds whatever is asked of it, on any channel and for any user, whatever their names. */
import type { Test } from 'tap';
import { startOrigin } from '../../kit/origins/origin.js';

/** Names that would do harm as HTML, or hide what they are. */
export const hostile = {
  image: '<img src=x onerror="window.harmed=1">',
  script: `'"><script>window.harmed=1</script>&amp;\`\${1}`,
  turned: 'abc\u202egnp.exe\u0007\u2066',
  long: 'x'.repeat(1_000),
  path: '../../nodes?a=b#/config%2F',
};

/** The document that holds a request. */
function holdOf(mode: string, channel: string, user: string | null, type: string, body: string): string {
  return JSON.stringify({
    hold: { mode, channels: [{ name: channel }], timeout: 50, ...(user !== null && { meta: { user } }) },
    response: { headers: { 'Content-Type': type }, body },
  });
}

/** The WebSocket-over-HTTP events that accept a client and put it on a channel. */
function opening(channel: string): string {
  const message = `c:${JSON.stringify({ type: 'subscribe', channel })}`;
  return `OPEN\r\nTEXT ${Buffer.byteLength(message).toString(16)}\r\n${message}\r\n`;
}

/** Its address. `/stream`, `/events`, `/poll` and, over HTTP, `/socket` take `channel` and `user`. */
export async function startPageOrigin(t: Test): Promise<string> {
  const { target } = await startOrigin(t, (request, response, seen) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const channel = searchParams.get('channel') ?? 'test';
    const user = searchParams.get('user');
    if (pathname === '/socket') {
      request.on('end', () => {
        const extension = { 'Sec-WebSocket-Extensions': 'grip' };
        response.writeHead(200, { 'Content-Type': 'application/websocket-events', ...extension });
        response.end(seen.body.startsWith('OPEN') ? opening(channel) : '');
      });
      return;
    }
    const [mode, type, body] =
      pathname === '/poll'
        ? ['response', 'text/plain', 'nothing new\n']
        : pathname === '/events'
          ? ['stream', 'text/event-stream', ':\n\n']
          : ['stream', 'text/plain', 'opened\n'];
    response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
    response.end(holdOf(mode as string, channel, user, type as string, body as string));
  });
  return target;
}
