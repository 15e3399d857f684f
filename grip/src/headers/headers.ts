/** The shape in which HTTP header fields travel through Holdfast. */

/**
 * Header fields as a flat list `[name, value, name, value, …]`, in wire order, names in the case in which they
 * came, duplicates kept. Values are Latin-1 strings, one character per byte (RFC 9110 §5.5).
 */
export type RawHeaders = readonly string[];

/** Status line and header fields of an HTTP response, without its body. */
export interface ResponseHead {
  readonly status: number;
  /** Reason phrase as it came; may be empty. */
  readonly reason: string;
  readonly headers: RawHeaders;
}

/** First value of a header, or undefined. `name` must be given in lower case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

/** All values of a header in wire order. `name` must be given in lower case. */
export function headerValues(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(headers[i + 1] as string);
  }
  return values;
}
