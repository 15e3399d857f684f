// Stands in for a language model: a story about the prompt, token by token, at the pace of one.
import { setTimeout as delay } from 'node:timers/promises';

const STORY = `You asked: %s. Nobody had ever asked that before, so the model looked out of the window for a while. It saw a
harbour, a lighthouse and a boat that came home late. Somebody on the boat waved, and somebody on the pier waved back. Then it
rained, the lamps were lit one after the other, and every question that had been asked that day went home with the people who
had asked it. This one stayed a little longer, because it had to be answered one token at a time, and nobody minded.`;

/**
 * Answers a prompt.
 *
 * @param {string} prompt
 * @param {number} pauseMs  before each token
 * @returns {AsyncGenerator<string>} tokens: words with the space before them, as models have them
 */
export async function* generate(prompt, pauseMs) {
  for (const token of STORY.replace(/\s+/g, ' ')
    .replace('%s', () => prompt)
    .match(/\s*\S+/g)) {
    await delay(pauseMs);
    yield token;
  }
}
