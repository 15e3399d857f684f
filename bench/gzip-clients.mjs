// Clients of streams that count what they get, and of which one decodes it.
import { connect } from 'node:net';
import { createGunzip } from 'node:zlib';

/** Clients that connect at a time. */
const AT_ONCE = 200;
/** For an item to reach everybody; far more than it takes. */
const LIMIT_MS = 60_000;
/** Of the end of a chunk, which the uws edge writes with the next one: from when a client is there decides who has it. */
const CHUNK_END = 2;

/** A head, and what came of the body with it. */
const HEAD_END = '\r\n\r\n';

/** Many clients of one stream. The first shows what all get; the others are compared with it by the number of bytes. */
export class GzipClients {
  /** @type {import('node:net').Socket[]} */
  #sockets = [];
  /** Bytes of each client, framing included, since the last item was published. @type {number[]} */
  #bytes = [];
  /** What the first client has decoded since then. */
  #text = '';
  #changed = () => {};
  #port;
  #path;
  #accept;

  /** @param {number} port @param {string} path @param {string | undefined} accept  what codings they accept; undefined: they do not say */
  constructor(port, path, accept) {
    this.#port = port;
    this.#path = path;
    this.#accept = accept;
  }

  /** Opens further ones until there are so many, each when its body has begun. @param {number} count */
  async open(count) {
    while (this.#sockets.length < count) {
      const more = Math.min(AT_ONCE, count - this.#sockets.length);
      await Promise.all(Array.from({ length: more }, () => this.#openOne()));
    }
  }

  async #openOne() {
    const socket = connect(this.#port, '127.0.0.1');
    const at = this.#sockets.push(socket) - 1;
    this.#bytes[at] = 0;
    const accept = this.#accept === undefined ? '' : `Accept-Encoding: ${this.#accept}\r\n`;
    socket.write(`GET ${this.#path} HTTP/1.1\r\nHost: bench\r\n${accept}\r\n`);
    const show = at === 0 ? this.#shower(this.#accept !== undefined) : undefined;
    await new Promise((resolve, reject) => {
      socket.on('error', reject);
      let begun = false;
      let head = '';
      socket.on('data', (/** @type {Buffer} */ bytes) => {
        this.#bytes[at] += bytes.length;
        if (begun) {
          show?.(bytes);
          this.#changed();
          return;
        }
        head += bytes.toString('latin1');
        const end = head.indexOf(HEAD_END);
        if (end < 0 || end + HEAD_END.length === head.length) return;
        begun = true;
        if (/\r\nContent-Encoding: gzip\r\n/i.test(head.slice(0, end + 2)) !== (this.#accept !== undefined))
          reject(new Error('not in the coding that was asked for'));
        show?.(Buffer.from(head.slice(end + HEAD_END.length), 'latin1'));
        resolve(undefined);
      });
    });
  }

  /** Takes chunked bytes, and shows their content decoded. @param {boolean} isGzip */
  #shower(isGzip) {
    let rest = Buffer.alloc(0);
    const take = (/** @type {Buffer} */ plain) => {
      this.#text += plain.toString('latin1');
      this.#changed();
    };
    const gunzip = createGunzip().on('data', take);
    // Of the present chunk; its end may come with the next one, and is not waited for.
    let left = 0;
    return (/** @type {Buffer} */ bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length > 0) {
        if (left === 0) {
          const line = /^(?:\r\n)?([0-9a-f]+)\r\n/.exec(rest.subarray(0, 20).toString('latin1'));
          if (line === null) return;
          left = Number.parseInt(line[1], 16);
          rest = rest.subarray(line[0].length);
        }
        const content = rest.subarray(0, left);
        left -= content.length;
        rest = rest.subarray(content.length);
        if (isGzip) gunzip.write(content);
        else take(content);
      }
    };
  }

  /**
   * Has an item published, and waits until the first client has decoded it and all others have as many bytes.
   *
   * @param {() => Promise<void>} publish
   * @param {string} content
   * @returns {Promise<number>} bytes that each has got
   * @throws {Error} when somebody has got other bytes
   */
  async receive(publish, content) {
    this.#text = '';
    this.#bytes.fill(0);
    const isThere = () => {
      if (this.#text !== content) return false;
      const first = /** @type {number} */ (this.#bytes[0]);
      return this.#bytes.every((bytes) => Math.abs(bytes - first) <= CHUNK_END);
    };
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('an item has not reached everybody')), LIMIT_MS);
      let isLooking = false;
      this.#changed = () => {
        // Not for each of many clients: once they have all been read.
        if (isLooking) return;
        isLooking = true;
        setImmediate(() => {
          isLooking = false;
          if (!isThere()) return;
          clearTimeout(timer);
          resolve(undefined);
        });
      };
      publish().catch(reject);
    });
    this.#changed = () => {};
    return /** @type {number} */ (this.#bytes[0]);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
  }
}
