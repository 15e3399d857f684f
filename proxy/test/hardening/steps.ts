/** What one side of a connection does, step by step, and a client that does it and keeps what comes back. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './random.js';

/** Bytes to write, ms to wait, or the end: by FIN or RST. */
export type Step = Buffer | number | 'fin' | 'reset';

/** Steps as a reader of a report sees them. */
export function describeSteps(steps: readonly Step[]): string {
  return steps
    .map((step) =>
      Buffer.isBuffer(step) ? describeBytes(step) : typeof step === 'number' ? `<${step} ms>` : `<${step}>`,
    )
    .join(' ');
}

/** Bytes as a text in quotes, cut where they are many. */
export function describeBytes(bytes: Buffer): string {
  const shown = JSON.stringify(bytes.toString('latin1', 0, 2_000));
  return bytes.length > 2_000 ? `${shown}… (${bytes.length} bytes)` : shown;
}

/** The bytes in one write or several, with pauses here and there. */
export function split(random: Random, bytes: Buffer): Step[] {
  if (random.once(2) || bytes.length < 2) return [bytes];
  const cuts = random.list(1, 4, () => random.int(1, bytes.length - 1)).sort((a, b) => a - b);
  return cuts.concat(bytes.length).flatMap((cut, index) => {
    const part = bytes.subarray(cuts[index - 1] ?? 0, cut);
    return part.length === 0 ? [] : random.once(2) ? [part, random.int(0, 3)] : [part];
  });
}

/** Does the steps on a socket that is open. Ends early when the other side has gone. */
export async function perform(socket: Socket, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (socket.destroyed) return;
    if (typeof step === 'number') await delay(step);
    else if (step === 'fin') socket.end();
    else if (step === 'reset') socket.resetAndDestroy();
    else if (socket.writable && !socket.write(step)) await taken(socket);
    else if (steps.length > 1) await new Promise(setImmediate);
  }
}

/** Resolves when the other side takes more, has gone, or has taken nothing for a while. */
function taken(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(over, 500);
    function over() {
      clearTimeout(timer);
      socket.off('drain', over).off('close', over);
      resolve();
    }
    socket.on('drain', over).on('close', over);
  });
}

/** When a client has seen enough. */
export interface Patience {
  /** Ms after which the other side has failed to end what it should have. */
  readonly limit: number;
  /** Ms without a byte after which nothing more is expected; absent, silence is waited out up to `limit`. */
  readonly quiet?: number;
  /** True once everything has come. */
  readonly done?: (bytes: Buffer) => boolean;
  /** False for a client that reads nothing. */
  readonly reads?: boolean;
}

/** What a client got. */
export interface Heard {
  readonly bytes: Buffer;
  /** How the other side ended the connection; undefined when the client left first. */
  readonly ended: 'fin' | 'reset' | undefined;
  /** The limit was reached. */
  readonly timedOut: boolean;
}

/** Most bytes that are kept of one connection; more than any right answer has. */
const KEPT = 8_000_000;

/** Connects, does the steps, listens as long as patience lasts, and goes away. */
export async function converse(port: number, steps: readonly Step[], patience: Patience): Promise<Heard> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  let length = 0;
  let ended: Heard['ended'];
  let last = Date.now();
  let wake = () => {};
  socket.on('data', (part) => {
    if (length < KEPT) parts.push(part);
    length += part.length;
    last = Date.now();
    wake();
  });
  socket.on('error', () => {
    ended ??= 'reset';
  });
  socket.on('end', () => {
    ended ??= 'fin';
    wake();
  });
  socket.on('close', () => {
    ended ??= steps.includes('reset') ? undefined : 'reset';
    wake();
  });
  if (patience.reads === false) socket.pause();
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve));
  const began = Date.now();
  await perform(socket, steps);
  last = Math.max(last, Date.now());
  const all = () => {
    if (parts.length > 1) parts.splice(0, parts.length, Buffer.concat(parts));
    return parts[0] ?? Buffer.alloc(0);
  };
  const over = () => ended !== undefined || socket.destroyed || patience.done?.(all()) === true;
  let timedOut = false;
  while (!over()) {
    const now = Date.now();
    timedOut = now - began >= patience.limit;
    if (timedOut || (patience.quiet !== undefined && now - last >= patience.quiet)) break;
    const wait = Math.min(
      patience.limit - (now - began),
      patience.quiet === undefined ? 1_000 : patience.quiet - (now - last),
    );
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, wait));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  socket.destroy();
  return { bytes: all(), ended, timedOut };
}
