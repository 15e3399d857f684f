/** Owns: the port between an exchange and whatever takes the body of the origin's answer. */
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../origin/errors.js';

/** Takes the rest of an origin's answer once its head has been looked at. Calls as in `OriginHandler`. */
export interface AnswerBody {
  onData(chunk: Buffer): boolean;
  onEnd(trailers?: RawHeaders): void;
  onError(error: OriginError): void;
}
