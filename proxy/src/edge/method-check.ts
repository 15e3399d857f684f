/**
 * Owns: which methods are taken from clients, and what is said of the others. Does not own: how a request of one is read.
 *
 * They are those that node's parser knows, on both edges: uWebSockets.js takes every token, and with it the end of a body that it
 * was told nothing of, with what comes behind it (`abcGET`).
 */
import { METHODS } from 'node:http';
import type { Refusal } from './request-check.js';

/** CONNECT asks for a tunnel, which no route leads through. */
const TAKEN: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== 'CONNECT'));

/** Longest name of a method that is told back, in characters. */
const TOLD_MAX = 40;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The beginning of a request line, of which the method is not taken. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP\/1\.[01]\r?$/;

/** Why a method is refused: it is no token (400), or none that is taken (501, RFC 9110 §9.1); undefined where it is taken. */
export function checkMethod(method: string): Refusal | undefined {
  if (TAKEN.has(method)) return undefined;
  if (!TOKEN.test(method)) return { status: 400, text: 'Failed to parse request: invalid method\n' };
  const told = method.length > TOLD_MAX ? `${method.slice(0, TOLD_MAX)}...` : method;
  return { status: 501, text: `Method not supported: ${told}.\n` };
}

/**
 * The same where a parser has given up at a method: `bytes` is what it was reading, and `at` where it stopped. Undefined
 * where no request line is to be seen there: it came in parts, or is none.
 */
export function checkMethodAt(bytes: Buffer, at: number): Refusal | undefined {
  const start = bytes.lastIndexOf('\n', Math.max(0, at - 1)) + 1;
  const end = bytes.indexOf('\n', at);
  if (end < 0) return undefined;
  const method = REQUEST_LINE.exec(bytes.toString('latin1', start, end))?.[1];
  return method === undefined ? undefined : checkMethod(method);
}
