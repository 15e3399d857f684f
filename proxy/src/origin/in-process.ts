/** An origin inside the process: what the built-in targets have in common. It answers with GRIP as any other origin does. */
import type { Readable } from 'node:stream';
import type { Containment } from '@holdfast/control-api';
import { faultError } from '../errors.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from './port.js';

/** Bytes of a request's body, which is read to its end and not used. */
const MAX_REQUEST_BODY = 100_000;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: string[];
  readonly body: string;
}

/** An answer in plain text, with further fields. */
export function plainAnswer(status: number, reason: string, body: string, fields: readonly string[] = []): Answer {
  return { status, reason, headers: ['Content-Type', 'text/plain', ...fields], body };
}

/** Reads the body to its end; false when it is longer than a target takes. */
async function accepts(body: Buffer | Readable | null): Promise<boolean> {
  if (body === null) return true;
  if (Buffer.isBuffer(body)) return body.length <= MAX_REQUEST_BODY;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_REQUEST_BODY) return false;
  }
  return true;
}

/** Answers each request by itself. */
export abstract class InProcessOrigin implements Origin {
  readonly #faults: Containment;

  constructor(faults: Containment) {
    this.#faults = faults;
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    let over = false;
    let sink: AnswerSink | undefined;
    const served = accepts(request.body)
      .catch(() => true)
      .then((accepted) => (accepted ? this.answer(request) : plainAnswer(400, 'Bad Request', 'request too large\n')))
      .then(({ status, reason, headers, body }) => {
        if (over) return;
        const bytes = Buffer.from(body);
        sink = handler.onHead({ status, reason, headers }, bytes.length);
        if (over) return;
        if (request.method !== 'HEAD') sink.onData(bytes);
        if (!over) sink.onEnd();
      })
      .catch((error: unknown) => {
        this.#faults.caught('origin', error);
        if (!over) (sink ?? handler).onError(faultError(error));
      });
    this.#faults.watch('origin', served, handler);
    return {
      resume: () => {},
      abort: () => {
        over = true;
      },
    };
  }

  /** What it answers. What it throws is a fault of the origin. */
  protected abstract answer(request: OriginRequest): Answer | Promise<Answer>;
}
