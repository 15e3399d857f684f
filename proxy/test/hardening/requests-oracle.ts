/**
 * Which requests the bytes of a client are, read strictly after RFC 9112: what is in doubt ends the reading. A proxy
 * may serve fewer of them, never another one.
 */

/** One request that the bytes hold. */
export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** False where the bytes end, or go wrong, in the middle of the body. */
  readonly whole: boolean;
}

/** RFC 9112 §3: a recipient may take several spaces for one; where the line ends is in no doubt. */
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +([\x21-\x7e\x80-\xff]+) +HTTP\/1\.[01]$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
/** RFC 9112 §7.1.1: a size, then extensions, whose values may be quoted; node lets names and values be empty too, and the size is the same. */
const CHUNK_LINE =
  /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t ]*[!#$%&'*+\-.^_`|~0-9A-Za-z]*(?:[\t ]*=[\t ]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]*|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;

interface Body {
  readonly body: Buffer;
  readonly whole: boolean;
  readonly end: number;
}

/** Reads requests until the bytes end or something is in doubt. */
export function strictRequests(bytes: Buffer): StrictRequest[] {
  const requests: StrictRequest[] = [];
  for (let at = 0; at < bytes.length; ) {
    // RFC 9112 §2.2: an empty line before a request is passed over, whatever its end.
    for (let line = emptyLine(bytes, at); line > 0; line = emptyLine(bytes, at)) at += line;
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return requests;
    const [line = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n');
    const match = REQUEST_LINE.exec(line);
    const fields = lines.map((text) => FIELD.exec(text));
    if (match === null || fields.includes(null)) return requests;
    const pairs = fields.map((field) => [field?.[1]?.toLowerCase() ?? '', field?.[2]?.trim() ?? ''] as const);
    const read = readBody(bytes, end + 4, pairs, line.endsWith('1.0'));
    if (read === undefined) return requests;
    requests.push({
      method: match[1] as string,
      target: match[2] as string,
      fields: pairs,
      body: read.body,
      whole: read.whole,
    });
    if (!read.whole) return requests;
    at = read.end;
  }
  return requests;
}

/** Bytes of an empty line; 0 where there is none. */
function emptyLine(bytes: Buffer, at: number): number {
  if (bytes[at] === 0x0a) return 1;
  return bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? 2 : 0;
}

function readBody(bytes: Buffer, at: number, fields: StrictRequest['fields'], old: boolean): Body | undefined {
  const values = (name: string) => fields.filter(([other]) => other === name).map(([, value]) => value);
  const [lengths, codings] = [values('content-length'), values('transfer-encoding')];
  if (codings.length > 0) {
    if (codings.length > 1 || lengths.length > 0 || old || codings[0]?.toLowerCase() !== 'chunked') return undefined;
    return readChunks(bytes, at);
  }
  if (lengths.length === 0) return { body: Buffer.alloc(0), whole: true, end: at };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0] as string)) return undefined;
  const end = at + Number(lengths[0]);
  return { body: bytes.subarray(at, end), whole: end <= bytes.length, end };
}

function readChunks(bytes: Buffer, from: number): Body {
  const parts: Buffer[] = [];
  let at = from;
  const result = (whole: boolean): Body => ({ body: Buffer.concat(parts), whole, end: at });
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd < 0 ? undefined : CHUNK_LINE.exec(bytes.toString('latin1', at, lineEnd))?.[1];
    if (size === undefined) return result(false);
    const dataEnd = lineEnd + 2 + Number.parseInt(size, 16);
    if (dataEnd === lineEnd + 2) {
      at = lineEnd + 2;
      return { ...result(true), ...trailers(bytes, at) };
    }
    parts.push(bytes.subarray(lineEnd + 2, dataEnd));
    if (bytes.toString('latin1', dataEnd, dataEnd + 2) !== '\r\n') return result(false);
    at = dataEnd + 2;
  }
}

function trailers(bytes: Buffer, from: number): Pick<Body, 'whole' | 'end'> {
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return { whole: false, end: at };
    if (lineEnd === at) return { whole: true, end: at + 2 };
    if (!FIELD.test(bytes.toString('latin1', at, lineEnd))) return { whole: false, end: at };
    at = lineEnd + 2;
  }
}
