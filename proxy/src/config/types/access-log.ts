/** What `log_fields` and `log_redact` are made of: the fields that an access line can show, and what is left out of them. */

/** Fields of the access log's JSON form, in the order in which a line has them. */
export const accessFields = [
  'id',
  'request_id',
  'trace_id',
  'span_id',
  'method',
  'url',
  'host',
  'version',
  'target',
  'route',
  'status',
  'bytes',
  'duration',
  'hold',
  'error',
  'retry',
  'from',
  'ua',
  'referer',
  'kind',
  'reason',
  'items',
  'dropped',
  'channels',
] as const;

/** A name of `accessFields`, or `header:` and the name of a field of the request, in lower case. */
export type AccessField = (typeof accessFields)[number] | `header:${string}`;

/** `header`: a field of the request is not shown. `query`: a parameter's value is not. Names are in lower case. */
export interface Redacted {
  readonly kind: 'header' | 'query';
  readonly name: string;
}

/** A field name of HTTP (RFC 9110 §5.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

const known: ReadonlySet<string> = new Set(accessFields);

/** One entry of `log_fields`; undefined when malformed or unknown. */
export function parseAccessField(word: string): AccessField | undefined {
  const lower = word.trim().toLowerCase();
  if (known.has(lower)) return lower as AccessField;
  const name = /^header:(.*)$/.exec(lower)?.[1];
  return name !== undefined && TOKEN.test(name) ? `header:${name}` : undefined;
}

/** One entry of `log_redact`, `name` of a field or `query:name`; undefined when malformed. */
export function parseRedacted(word: string): Redacted | undefined {
  const lower = word.trim().toLowerCase();
  const name = /^query:(.*)$/s.exec(lower)?.[1];
  if (name !== undefined) return /^[^\s&;=#[\]%+\p{Cc}]+$/u.test(name) ? { kind: 'query', name } : undefined;
  return TOKEN.test(lower) ? { kind: 'header', name: lower } : undefined;
}

/** The inverse of `parseRedacted`. */
export function formatRedacted({ kind, name }: Redacted): string {
  return kind === 'query' ? `query:${name}` : name;
}
