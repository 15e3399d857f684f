// Stands in for an exchange: trades at prices that walk at random for as long as the process runs, of which the last are kept.
import { setTimeout as delay } from 'node:timers/promises';

/** Trades that are kept for clients that come back. */
const KEPT = 1_000;

/** @typedef {{ id: number, price: number, amount: number, at: string }} Trade  ids count from 1, without a hole */

/** @param {number} id @param {number} price @returns {Trade} */
const trade = (id, price) => ({
  id,
  price,
  amount: Math.ceil(Math.random() * 1_000) / 1_000,
  at: new Date().toISOString(),
});

const kept = [trade(1, 62_000)];

/** The last trade, of which the price is that of the market. @returns {Trade} */
export const newest = () => kept[kept.length - 1];

/**
 * @param {number} id  that of the last trade that a client has
 * @returns {Trade[] | undefined} the trades after it; undefined when not all of them are kept, or there is no such trade yet
 */
export function tradesAfter(id) {
  const oldest = kept[0].id;
  if (id < oldest - 1 || id > newest().id) return undefined;
  return kept.slice(id - oldest + 1);
}

/** Trades as they happen. @param {number} pauseMs  between two of them */
export async function* trading(pauseMs) {
  for (;;) {
    await delay(pauseMs);
    const { id, price } = newest();
    kept.push(trade(id + 1, Math.max(1, price + Math.round((Math.random() - 0.5) * 40))));
    if (kept.length > KEPT) kept.shift();
    yield newest();
  }
}
