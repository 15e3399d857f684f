/** Which channels a client of the `test` target may name. */
import type { TestTarget } from '../../routes/target.js';

/**
 * The channels that a client asks for with `?channel=`, each once; the first of the target's without any. Undefined when
 * one of them is none of the target's: the channels of a node are not for everybody.
 */
export function testChannels(
  query: URLSearchParams,
  { channels }: Pick<TestTarget, 'channels'>,
): readonly string[] | undefined {
  const asked = query.getAll('channel');
  if (asked.length === 0) return channels.slice(0, 1);
  return asked.every((channel) => channels.includes(channel)) ? [...new Set(asked)] : undefined;
}

/** The text of the 403 for a client that asks for another channel. */
export const OTHER_CHANNEL = 'only the channels that the route lists for its test target (channels=) may be named\n';
