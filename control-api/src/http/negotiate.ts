/** Chooses the format of an answer by Accept, as Pushpin's control server does. */

/** Formats in which the control API answers. */
export type Format = 'text' | 'json';

const formats: ReadonlyMap<string, Format> = new Map([
  ['text/plain', 'text'],
  ['text/*', 'text'],
  ['*/*', 'text'],
  ['*', 'text'],
  ['application/json', 'json'],
  ['application/*', 'json'],
]);

/**
 * The format to answer in, or undefined if the client accepts neither. Takes the value of the Accept header with
 * repeated fields joined by commas. Of the media types listed the last known one wins, and weights are ignored: not
 * RFC 9110 §12.5.1, but what publishers written for Pushpin expect. No preference means text.
 */
export function negotiate(accept: string | undefined): Format | undefined {
  if (accept === undefined || accept === '*/*') return 'text';
  let chosen: Format | undefined;
  let named = false;
  for (const range of accept.split(',')) {
    const semicolon = range.indexOf(';');
    const type = (semicolon < 0 ? range : range.slice(0, semicolon)).trim().toLowerCase();
    if (type === '') continue;
    named = true;
    chosen = formats.get(type) ?? chosen;
  }
  return named ? chosen : 'text';
}
