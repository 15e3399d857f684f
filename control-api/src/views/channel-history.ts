/** The kept items of one channel, page by page, for those who look at them; and their removal. */
import { formatPosition, itemToJson, parsePosition } from '@holdfast/grip';
import type { History, HistoryPage, HistoryStart, ItemMessage, Position } from '../backplane/backplane.js';
import { type Answer, answerTo, argumentRefused, historyGone, noHistory, shown, tooManyViews } from '../http/answer.js';
import { readQuery } from '../http/query.js';

/**
 * Most items of one page: a page is made whole in memory, beside the bytes that bound it.
 *
 * @limit {} items of one page of a channel's history over the control API
 * @over 400
 */
export const HISTORY_PAGE_MAX = 1_000;

/** Items of a page for which no limit is given. */
const HISTORY_PAGE = 100;

/**
 * Pages under way at a time.
 *
 * @limit {} pages of history that one node gathers at a time
 * @over 503
 */
export const MAX_HISTORY_PAGES = 16;

/** What a page is asked for by. */
export interface HistoryQuery {
  readonly limit: number;
  readonly since: Position | undefined;
  /** The newest first; `since` is then the position before which the page ends. */
  readonly reverse: boolean;
}

/** The parameters of a page. */
export const historyQuery = ['limit', 'since', 'reverse'] as const;

/** Reads a query, or refuses it with the reason. */
export function parseHistoryQuery(text: string): HistoryQuery | Answer {
  const query = readQuery(text, historyQuery);
  if ('status' in query) return query;
  const [limit, since, reverse = 'false'] = historyQuery.map((name) => query.one(name));
  const count = limit === undefined ? HISTORY_PAGE : /^\d{1,9}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > HISTORY_PAGE_MAX) return argumentRefused(`'limit' must be from 1 to ${HISTORY_PAGE_MAX}`);
  const position = since === undefined ? undefined : parsePosition(since);
  if (since !== undefined && position === undefined) {
    return argumentRefused("'since' must be a position: <epoch>:<offset>");
  }
  if (!['', '0', '1', 'true', 'false'].includes(reverse)) return argumentRefused("'reverse' must be true or false");
  return { limit: count, since: position, reverse: reverse !== '0' && reverse !== 'false' };
}

/** Answers for the history that this node reads: its own, or that of all nodes. */
export class ChannelHistory {
  readonly #history: History;
  #pages = 0;

  constructor(history: History) {
    this.#history = history;
  }

  /** 200 with a page; 404 where no history is kept, 410 where what follows `since` is not kept any more. Never rejects. */
  async page(channel: string, text: string): Promise<Answer> {
    const query = parseHistoryQuery(text);
    if ('status' in query) return query;
    if (this.#pages >= MAX_HISTORY_PAGES) return tooManyViews;
    this.#pages++;
    try {
      const page = query.reverse ? await this.#backward(channel, query) : await this.#forward(channel, query);
      if (page !== undefined) return shown({ channel, ...page });
      return query.since === undefined ? noHistory : historyGone;
    } catch (error) {
      return answerTo(error);
    } finally {
      this.#pages--;
    }
  }

  /** 200 when the items are forgotten. Never rejects. */
  async remove(channel: string): Promise<Answer> {
    try {
      await this.#history.remove(channel);
      return shown({ message: 'Deleted', channel });
    } catch (error) {
      return answerTo(error);
    }
  }

  async #forward(channel: string, { limit, since }: HistoryQuery): Promise<object | undefined> {
    const start: HistoryStart = since === undefined ? { last: Number.MAX_SAFE_INTEGER } : { after: since };
    const page = await this.#history.read(channel, start, limit);
    return page && { items: page.messages.map(itemView), ...(!page.complete && { next: formatPosition(page.end) }) };
  }

  /** The bytes of a page cut its newest items off, which come first here: then it is asked for fewer. */
  async #backward(channel: string, { limit, since }: HistoryQuery): Promise<object | undefined> {
    let page: HistoryPage | undefined;
    for (let last = limit; last >= 1; last = Math.floor(last / 2)) {
      const start = since === undefined ? { last } : { last, before: since };
      page = await this.#history.read(channel, start, last);
      if (page === undefined || page.complete) break;
    }
    if (page === undefined) return undefined;
    const oldest = page.messages[0]?.position;
    const hasMore = oldest !== undefined && oldest.offset > 1;
    return { items: page.messages.map(itemView).reverse(), ...(hasMore && { next: formatPosition(oldest) }) };
  }
}

function itemView({ item, position }: ItemMessage): object {
  return { ...itemToJson(item), ...position };
}
