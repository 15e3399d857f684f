/**
 * Owns: the bytes of an origin's reason phrase, which undici reads as UTF-8, and of which it keeps the part in the last
 * segment only. Does not own: whether a phrase is sent on. The only file that knows that part of undici.
 */
import { MAX_REASON } from '@holdfast/grip';

/** What undici has for each connection: it is told of the phrase in as many parts as there are segments. */
interface StatusParser {
  /** The phrase so far; empty when an answer begins. */
  statusText: string;
  onStatus(part: Buffer): number;
}

type Connected = (error: Error | null, socket?: object | null) => void;

/** A character for each byte (RFC 9112 §4 has obs-text). What is longer than may be sent need not be kept. */
function onStatus(this: StatusParser, part: Buffer): number {
  if (this.statusText.length <= MAX_REASON) {
    this.statusText += part.toString('latin1', 0, MAX_REASON + 1 - this.statusText.length);
  }
  return 0;
}

/**
 * A connector whose connections report reason phrases as Latin-1. Where undici has changed, they report them as it does; a test
 * shows that it has not.
 */
export function withReasonBytes<Options>(
  connect: (options: Options, connected: Connected) => void,
): (options: Options, connected: Connected) => void {
  return (options, connected) =>
    connect(options, (error, socket) => {
      connected(error, socket);
      if (socket) keepBytes(socket);
    });
}

function keepBytes(socket: object): void {
  const name = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  const parser = name && (socket as Readonly<Record<symbol, StatusParser | null>>)[name];
  const kind = parser && (Object.getPrototypeOf(parser) as StatusParser | null);
  if (kind && kind.onStatus !== onStatus && typeof parser.statusText === 'string') kind.onStatus = onStatus;
}
