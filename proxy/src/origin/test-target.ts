/** The built-in `test` target: an origin inside the process, for trying the proxy without an API. It answers with GRIP headers. */
import type { Readable } from 'node:stream';
import { type Containment, uncontained } from '@holdfast/control-api';
import { wireFromText } from '@holdfast/grip';
import { faultError } from '../errors.js';
import { parametersOf, pathBehind, pathnameOf } from '../http/request-path.js';
import type { TestTarget } from '../routes/target.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from './port.js';

const MAX_REQUEST_BODY = 100_000;

/** The text of the 403 for a client that asks for another channel. */
export const OTHER_CHANNEL = 'only the channels that the route lists for its test target (channels=) may be named\n';

/**
 * The channels that a client asks for with `?channel=`, each once; the first of the target's without any. Undefined when
 * the target does not list all of them: not everybody may use the channels of a node.
 */
export function testChannels(
  query: URLSearchParams,
  { channels }: Pick<TestTarget, 'channels'>,
): readonly string[] | undefined {
  const asked = query.getAll('channel');
  if (asked.length === 0) return channels.slice(0, 1);
  return asked.every((channel) => channels.includes(channel)) ? [...new Set(asked)] : undefined;
}

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: string[];
  readonly body: string;
}

const plain = (status: number, reason: string, body: string, grip: string[] = []): Answer => ({
  status,
  reason,
  headers: ['Content-Type', 'text/plain', ...grip],
  body,
});

function hold(mode: string, query: URLSearchParams, target: TestTarget, body: string): Answer {
  const channels = testChannels(query, target);
  if (channels === undefined) return plain(403, 'Forbidden', OTHER_CHANNEL);
  const safe = channels.filter((channel) => !/[\r\n\0]/.test(channel)).map(wireFromText);
  return plain(200, 'OK', body, ['Grip-Hold', mode, ...safe.flatMap((channel) => ['Grip-Channel', channel])]);
}

/** What the target answers to a path whose route prefix has been taken off. */
function answer(path: string, target: TestTarget): Answer {
  switch (pathnameOf(path)) {
    case '/':
      return plain(200, 'OK', 'Hello from the Pushpin test handler!\n');
    case '/response':
      return hold('response', parametersOf(path), target, 'nothing for now\n');
    case '/stream':
      return hold('stream', parametersOf(path), target, '[stream opened]\n');
    default:
      return plain(404, 'Not Found', 'no such test resource\n');
  }
}

/** Reads the body to its end; false when it is longer than the target takes. */
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

/** The `test` target. `pathBeg` is the prefix by which its route matched; it is not part of what is asked. */
export class TestOrigin implements Origin {
  readonly #pathBeg: string;
  readonly #target: TestTarget;
  readonly #faults: Containment;

  constructor(pathBeg: string, target: TestTarget, faults = uncontained) {
    this.#pathBeg = pathBeg;
    this.#target = target;
    this.#faults = faults;
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    let over = false;
    let sink: AnswerSink | undefined;
    const served = accepts(request.body)
      .catch(() => true)
      .then((accepted) => {
        if (over) return;
        const { status, reason, headers, body } = accepted
          ? answer(pathBehind(this.#pathBeg, request.path), this.#target)
          : plain(400, 'Bad Request', 'request too large\n');
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
}
