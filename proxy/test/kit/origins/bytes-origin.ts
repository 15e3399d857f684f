/**
 * An origin that answers with given bytes: for what no HTTP library would send. It speaks no WebSocket: handshakes
 * are answered like any request.
 */
import type { Test } from 'tap';
import { RawOrigin } from './raw-origin.js';

const answers: (readonly string[])[] = [];

/** A path that is answered with these bytes, one to a character. A list is sent part by part, in as many segments. */
export function pathFor(answer: string | readonly string[]): string {
  answers.push(typeof answer === 'string' ? [answer] : answer);
  return `/told/${answers.length - 1}`;
}

/** Starts one; resolves with `127.0.0.1:port`. */
export async function startBytesOrigin(t: Test): Promise<string> {
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    const [, path = ''] = lines[0]?.split(' ') ?? [];
    const parts = [...(answers[Number(path.split('/')[2])] ?? [])];
    const send = () => {
      const part = parts.shift();
      if (part === undefined) return;
      // The next part when this one is with the kernel, and a turn later: so that it is another segment.
      socket.write(part, 'latin1', () => setImmediate(send));
    };
    socket.setNoDelay(true);
    send();
  });
  return `127.0.0.1:${origin.port}`;
}

/** Bytes of a whole answer: what follows `HTTP/1.1 `, fields, and a body with its length. */
export function answerOf(statusLine: string, fields: readonly string[] = [], body = 'told\n'): string {
  return [`HTTP/1.1 ${statusLine}`, ...fields, `Content-Length: ${body.length}`, '', body].join('\r\n');
}
