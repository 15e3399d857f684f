/** The body of a request, out of its Content-Encoding, and what one is refused for. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, bodyTooLarge, codingMalformed, unknownCoding } from './answer.js';
import { codingOf, decodeBody } from './body.js';

/** A request whose body has come whole. */
export interface CodedRequest {
  readonly headers: IncomingHttpHeaders;
  /** Still in its Content-Encoding, which is one that `checkCoding` does not refuse. */
  readonly body: Buffer;
}

/** What the head of a request is refused for whose coding is not known. */
export function checkCoding(headers: IncomingHttpHeaders): Answer | undefined {
  return codingOf(headers) === 'unknown' ? unknownCoding : undefined;
}

/** The body as it was before it was encoded; the refusal of one that becomes more than `limit` bytes, or is not so encoded. */
export function plainBody({ headers, body }: CodedRequest, limit: number): Buffer | Answer {
  const coding = codingOf(headers);
  if (coding === undefined) return body;
  const plain = decodeBody(body, coding, limit);
  if (plain === 'too-large') return bodyTooLarge(limit);
  return plain === 'malformed' ? codingMalformed(coding) : plain;
}
