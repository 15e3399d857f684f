/** Reading all answers of a connection as strictly as RFC 9112 asks of a recipient that gives nothing away. */

/** One final answer as it was on the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly reason: string;
  /** In lower case, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** False where the connection ended in the middle of the body. */
  readonly whole: boolean;
  /** How many interim answers came before it. */
  readonly interim: number;
  /** Only the close of the connection delimits the body. */
  readonly untilClose: boolean;
}

/** What a connection brought. */
export interface WireAnswers {
  readonly answers: readonly WireAnswer[];
  /** What no strict recipient accepts; the first thing found, after which nothing is read. */
  readonly fault: string | undefined;
  /** Bytes of a head that has not come to its end. */
  readonly rest: Buffer;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/;
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/;
const CHUNK_SIZE = /^[0-9A-Fa-f]{1,8}$/;

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly fields: [string, string][];
}

/** Reads one head; a text is what is wrong with it. */
function readHead(text: string): Head | string {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const match = STATUS_LINE.exec(statusLine);
  if (match === null) return `status line ${JSON.stringify(statusLine.slice(0, 200))}`;
  const fields: [string, string][] = [];
  for (const line of lines) {
    const field = FIELD.exec(line);
    if (field === null) return `header line ${JSON.stringify(line.slice(0, 200))}`;
    fields.push([(field[1] as string).toLowerCase(), field[2] as string]);
  }
  return { status: Number(match[1]), reason: match[2] as string, fields };
}

/** The value of a field; undefined when it is absent. */
export function fieldOf({ fields }: Pick<WireAnswer, 'fields'>, name: string): string | undefined {
  return fields.find(([other]) => other === name)?.[1];
}

/** Reader of one connection's bytes. */
class Reader {
  readonly answers: WireAnswer[] = [];
  readonly #bytes: Buffer;
  readonly #ended: boolean;
  #at = 0;
  #interim = 0;

  constructor(bytes: Buffer, ended: boolean) {
    this.#bytes = bytes;
    this.#ended = ended;
  }

  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Reads the next head and its body; true when there was one, a text for a fault. */
  next(isHead: (answered: number) => boolean): boolean | string {
    const end = this.#bytes.indexOf('\r\n\r\n', this.#at);
    if (end < 0) return false;
    const head = readHead(this.#bytes.toString('latin1', this.#at, end));
    if (typeof head === 'string') return head;
    this.#at = end + 4;
    if (head.status < 200 && head.status !== 101) {
      this.#interim++;
      return true;
    }
    const body = this.#body(head, isHead(this.answers.length));
    if (typeof body === 'string') return `${body} of ${head.status}`;
    this.answers.push({ ...head, ...body, interim: this.#interim });
    this.#interim = 0;
    return body.whole && !body.untilClose;
  }

  #body({ status, fields }: Head, isHead: boolean): Pick<WireAnswer, 'body' | 'whole' | 'untilClose'> | string {
    const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
    const codings = fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value);
    if (lengths.length + codings.length > 1) return 'two framings';
    const [length] = lengths;
    if (length !== undefined && !/^\d{1,15}$/.test(length)) return `Content-Length ${length}`;
    if (codings[0] !== undefined && codings[0] !== 'chunked') return `Transfer-Encoding ${codings[0]}`;
    if (codings.length > 0 && (status === 204 || status === 101)) return 'a framing';
    if (status === 101) return { body: this.#take(this.rest.length), whole: true, untilClose: false };
    if (isHead || status === 204 || status === 304) return { body: Buffer.alloc(0), whole: true, untilClose: false };
    if (codings.length > 0) return this.#chunks();
    if (length === undefined) return { body: this.#take(this.rest.length), whole: this.#ended, untilClose: true };
    const body = this.#take(Number(length));
    return { body, whole: body.length === Number(length), untilClose: false };
  }

  #take(length: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += part.length;
    return part;
  }

  #chunks(): Pick<WireAnswer, 'body' | 'whole' | 'untilClose'> | string {
    const parts: Buffer[] = [];
    const broken = () => ({
      body: Buffer.concat([...parts, this.#take(this.rest.length)]),
      whole: false,
      untilClose: false,
    });
    for (;;) {
      const lineEnd = this.#bytes.indexOf('\r\n', this.#at);
      if (lineEnd < 0) return broken();
      const line = this.#take(lineEnd - this.#at).toString('latin1');
      if (!CHUNK_SIZE.test(line)) return `chunk size ${JSON.stringify(line.slice(0, 40))}`;
      this.#at += 2;
      const size = Number.parseInt(line, 16);
      const data = this.#take(size);
      if (data.length > 0) parts.push(data);
      const end = this.#take(2).toString('latin1');
      if (end.length < 2) return broken();
      if (end !== '\r\n') return 'no end of a chunk';
      if (size === 0) return { body: Buffer.concat(parts), whole: true, untilClose: false };
    }
  }
}

/**
 * Reads all that came. `ended` says that nothing more will come; `methods` are those of the requests in order, as far as they
 * are known, for answers to HEAD have no body.
 */
export function readAnswers(bytes: Buffer, ended: boolean, methods: readonly string[] = []): WireAnswers {
  const reader = new Reader(bytes, ended);
  for (;;) {
    const more = reader.next((answered) => methods[answered] === 'HEAD');
    if (typeof more === 'string') return { answers: reader.answers, fault: more, rest: reader.rest };
    if (!more) return { answers: reader.answers, fault: undefined, rest: reader.rest };
  }
}
