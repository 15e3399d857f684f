/**
 * Owns: finding what undici reads answers with, for the files that put its reading right (`reason-bytes`, `answer-framing`).
 * Does not own: what is put right.
 */

/** How undici's connectors are called. */
export type Connect<Options> = (options: Options, connected: Connected) => void;

/** What a connector calls. */
export type Connected = (error: Error | null, socket?: object | null) => void;

/**
 * A connector that shows the kind of each connection's parser (its prototype, the same for all) before anything is read.
 * Where undici has changed so much that there is none to be found, nothing is shown.
 */
export function withParserKind<Options>(connect: Connect<Options>, show: (kind: object) => void): Connect<Options> {
  return (options, connected) =>
    connect(options, (error, socket) => {
      connected(error, socket);
      const kind = socket ? kindOf(socket) : undefined;
      if (kind !== undefined) show(kind);
    });
}

/** A connector that reports of each connection whether `withParserKind` can show anything of it. */
export function withParserReport<Options>(
  connect: Connect<Options>,
  report: (isFound: boolean) => void,
): Connect<Options> {
  return (options, connected) =>
    connect(options, (error, socket) => {
      connected(error, socket);
      if (socket) report(kindOf(socket) !== undefined);
    });
}

function kindOf(socket: object): object | undefined {
  const name = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  const parser = name && (socket as Readonly<Record<symbol, object | null>>)[name];
  return (parser && (Object.getPrototypeOf(parser) as object | null)) ?? undefined;
}
