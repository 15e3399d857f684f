/** The rule for the X-Forwarded-For header (`x_forwarded_for`, `x_forwarded_for_trusted`), as text and as a value. */

/** First keep the last `truncate` addresses (all, if undefined; none, if 0), then append the client's if `append`. */
export interface ForwardedForRule {
  readonly truncate?: number;
  readonly append: boolean;
}

/** Comma list of `truncate:N` and `append`; empty means "leave as it is". Undefined when malformed. */
export function parseForwardedFor(text: string): ForwardedForRule | undefined {
  let truncate: number | undefined;
  let append = false;
  for (const piece of text.split(',').map((word) => word.trim())) {
    const count = /^truncate:(\d{1,9})$/.exec(piece)?.[1];
    if (count !== undefined) truncate = Number(count);
    else if (piece === 'append') append = true;
    else if (piece !== '') return undefined;
  }
  return truncate === undefined ? { append } : { truncate, append };
}

/** The inverse of `parseForwardedFor`. */
export function formatForwardedFor(rule: ForwardedForRule): string {
  const pieces = rule.truncate === undefined ? [] : [`truncate:${rule.truncate}`];
  return (rule.append ? [...pieces, 'append'] : pieces).join(',');
}
