/**
 * Meaning of the errors node:http reports for connections (`clientError`).
 *
 * Owns: error code → answer. Does not own: sending it (server.ts).
 */
import { type Answer, bodyTooLarge, headerTooLarge, malformed, timedOut } from './answer.js';

/** In bytes; named to clients that exceed them. */
export interface ParserLimits {
  readonly pushInHttpMaxHeadersSize: number;
  readonly pushInHttpMaxBodySize: number;
}

/**
 * The answer to give, or undefined if the connection itself is broken and there is nobody to answer. Takes the bytes that were read
 * off the error: a log line would spell out each of them, and be many times as long as what the client sent.
 */
export function answerToParserError(
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  { pushInHttpMaxHeadersSize, pushInHttpMaxBodySize }: ParserLimits,
): Answer | undefined {
  delete error.rawPacket;
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return headerTooLarge(pushInHttpMaxHeadersSize);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return bodyTooLarge(pushInHttpMaxBodySize);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return timedOut;
    case 'HPE_INVALID_EOF_STATE': // the client closed in the middle of a request
      return undefined;
    default:
      return error.code?.startsWith('HPE_') ? malformed : undefined;
  }
}
