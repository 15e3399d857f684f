/** The built-in `test` target: an origin inside the process, for trying the proxy without an API. It answers with GRIP headers. */
import { uncontained } from '@holdfast/control-api';
import { wireFromText } from '@holdfast/grip';
import { parametersOf, pathBehind, pathnameOf } from '../http/request-path.js';
import type { TestTarget } from '../routes/target.js';
import { type Answer, InProcessOrigin, plainAnswer } from './in-process.js';
import type { OriginRequest } from './port.js';

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

function hold(mode: string, query: URLSearchParams, target: TestTarget, body: string): Answer {
  const channels = testChannels(query, target);
  if (channels === undefined) return plainAnswer(403, 'Forbidden', OTHER_CHANNEL);
  const safe = channels.filter((channel) => !/[\r\n\0]/.test(channel)).map(wireFromText);
  return plainAnswer(200, 'OK', body, ['Grip-Hold', mode, ...safe.flatMap((channel) => ['Grip-Channel', channel])]);
}

/** What the target answers to a path whose route prefix has been taken off. */
function answerTo(path: string, target: TestTarget): Answer {
  switch (pathnameOf(path)) {
    case '/':
      return plainAnswer(200, 'OK', 'Hello from the Pushpin test handler!\n');
    case '/response':
      return hold('response', parametersOf(path), target, 'nothing for now\n');
    case '/stream':
      return hold('stream', parametersOf(path), target, '[stream opened]\n');
    default:
      return plainAnswer(404, 'Not Found', 'no such test resource\n');
  }
}

/** The `test` target. `pathBeg` is the prefix by which its route matched; it is not part of what is asked. */
export class TestOrigin extends InProcessOrigin {
  readonly #pathBeg: string;
  readonly #target: TestTarget;

  constructor(pathBeg: string, target: TestTarget, faults = uncontained) {
    super(faults);
    this.#pathBeg = pathBeg;
    this.#target = target;
  }

  protected answer(request: OriginRequest): Answer {
    return answerTo(pathBehind(this.#pathBeg, request.path), this.#target);
  }
}
