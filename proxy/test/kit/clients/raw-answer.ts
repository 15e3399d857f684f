/** Reading one HTTP/1.x answer out of received bytes, with its framing left visible. */

/** One answer as it was on the wire. */
export interface RawAnswer {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Header pairs, flat, in original case and order. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** The chunks of a chunked body, as they were framed. */
  readonly chunks: readonly string[];
  /** Whether the body came to its end as announced: false when the connection ended before. */
  readonly whole: boolean;
  /** First value of a field, by any case. */
  header(name: string): string | undefined;
}

/** An answer and the bytes after it. */
export interface TakenAnswer {
  readonly answer: RawAnswer;
  readonly rest: Buffer;
}

/** How far the bytes go. */
interface Body {
  readonly body: Buffer;
  readonly chunks: readonly string[];
  readonly whole: boolean;
  readonly rest: Buffer;
}

/**
 * The first answer in `bytes`; undefined when more bytes are needed. With `ended` nothing more will come, and what is
 * there is taken as it is, unless even the head is incomplete. `bodiless` is set for answers to HEAD.
 */
export function takeAnswer(bytes: Buffer, ended: boolean, bodiless: boolean): TakenAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const header = (name: string) => {
    const at = fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === name.toLowerCase());
    return at < 0 ? undefined : fields[at + 1];
  };
  const status = Number(statusLine.slice(9, 12));
  const after = bytes.subarray(end + 4);
  const none = bodiless || status < 200 || status === 204 || status === 304;
  const read = none ? { body: Buffer.alloc(0), chunks: [], whole: true, rest: after } : readBody(after, header, ended);
  if (read === undefined) return undefined;
  const { rest, ...body } = read;
  return {
    answer: { version: statusLine.slice(5, 8), status, reason: statusLine.slice(13), fields, header, ...body },
    rest,
  };
}

function readBody(bytes: Buffer, header: (name: string) => string | undefined, ended: boolean): Body | undefined {
  if (header('transfer-encoding') === 'chunked') return readChunks(bytes, ended);
  const declared = header('content-length');
  if (declared === undefined) {
    return ended ? { body: bytes, chunks: [], whole: true, rest: Buffer.alloc(0) } : undefined;
  }
  const length = Number(declared);
  if (bytes.length < length && !ended) return undefined;
  return { body: bytes.subarray(0, length), chunks: [], whole: bytes.length >= length, rest: bytes.subarray(length) };
}

function readChunks(bytes: Buffer, ended: boolean): Body | undefined {
  const chunks: Buffer[] = [];
  let rest = bytes;
  const body = (whole: boolean): Body => ({
    body: Buffer.concat(chunks),
    chunks: chunks.map((chunk) => chunk.toString()),
    whole,
    rest,
  });
  for (;;) {
    const line = rest.indexOf('\r\n');
    const size = line < 0 ? Number.NaN : Number.parseInt(rest.subarray(0, line).toString('latin1'), 16);
    if (Number.isNaN(size) || rest.length < line + 2 + size + 2) {
      if (!ended) return undefined;
      // What there is of the last chunk counts, with or without the line end behind it.
      if (size > 0) chunks.push(rest.subarray(line + 2, line + 2 + size));
      return body(false);
    }
    const chunk = rest.subarray(line + 2, line + 2 + size);
    rest = rest.subarray(line + 2 + size + 2);
    if (size === 0) return body(true);
    chunks.push(chunk);
  }
}
