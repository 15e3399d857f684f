/** An item whose content is the body of a request as it came, for publishers that are a line of shell. */
import { type FormatName, formatKeys, formatRows, GripError, type Item, listFormats, parseItem } from '@holdfast/grip';

/** What the query of such a request can have, beside what every publish can. */
export const bodyItemQuery = ['format', 'id', 'prev-id'] as const;

/**
 * The item: `format` names its formats, each of which gets the bytes; at least one, and repeated for several. Throws ERR_GRIP_ITEM
 * with the text of the 400 answer.
 */
export function bodyItem(channel: string, text: string | undefined, body: Buffer): Item {
  const query = new URLSearchParams(text);
  const formats: { [Name in FormatName]?: object } = {};
  for (const name of query.getAll('format')) {
    const key = formatKeys.find((one) => formatRows[one].name === name);
    if (key === undefined)
      throw refused(`unknown format ${JSON.stringify(name.slice(0, 50))}: known are ${listFormats('and')}`);
    const { name: known, members } = formatRows[key];
    formats[known] = { [members.has('body') ? 'body' : 'content']: body };
  }
  if (Object.keys(formats).length === 0) throw refused(`no 'format' in the query: expected ${listFormats('or')}`);
  const item: Record<string, unknown> = { channel, formats };
  for (const name of ['id', 'prev-id']) {
    const value = query.get(name);
    if (value !== null) item[name] = value;
  }
  try {
    return parseItem(item);
  } catch (cause) {
    if (!(cause instanceof GripError)) throw cause;
    throw refused(cause.message);
  }
}

function refused(text: string): GripError {
  return new GripError('ERR_GRIP_ITEM', `Invalid format: ${text}`);
}
