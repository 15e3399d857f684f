/** Owns: the port between an exchange and whatever takes the body of the origin's answer. */
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../origin/errors.js';

/** Takes the rest of an origin's answer once its head has been looked at. Calls as in `OriginHandler`. */
export interface AnswerBody {
  onData(chunk: Buffer): boolean;
  onEnd(trailers?: RawHeaders): void;
  onError(error: OriginError): void;
  /** Goes on after an `onData` that returned false, where the body does not come straight from the origin's call. */
  resume?(): void;
  /** Gives the answer up: nothing is done any more with what has come. */
  abort?(): void;
  /** Some of what has come is on its way still, after `onEnd` too. */
  readonly isBusy?: boolean;
}
