/** The flags of `holdfast publish` and `holdfast tap`; `cli-options.ts` reads them, the commands know what they mean. */

/** One flag of a command. */
export interface CommandFlag {
  /** As shown in `--help`: short name, long name, value. */
  readonly flags: string;
  readonly doc: string;
  /** May be given several times. */
  readonly many?: true;
}

/** Those of `holdfast publish`, which are those of pushpin-publish, in the order of `--help`. */
export const publishFlags = [
  { flags: '--id <id>', doc: 'id of the item' },
  { flags: '--prev-id <id>', doc: 'id of the item before this one on the channel' },
  { flags: '--sender <user>', doc: 'the same as --meta sender=<user>' },
  { flags: '--code <code>', doc: 'status of the HTTP response (default 200)' },
  { flags: '-H, --header <"name: value">', doc: 'add a header to the HTTP response', many: true },
  { flags: '-M, --meta <"name=value">', doc: 'add a meta variable', many: true },
  { flags: '--hint', doc: 'send a hint instead of content' },
  { flags: '--close', doc: 'close streams and WebSockets instead of sending content' },
  { flags: '--patch', doc: 'the content is a JSON patch of the held HTTP response' },
  { flags: '--no-seq', doc: 'deliver at once, whatever item is missing before' },
  { flags: '--no-eol', doc: 'do not add a newline to the content for HTTP' },
  { flags: '--spec <spec>', doc: 'GRIP URL or ZeroMQ PUSH spec (default $GRIP_URL, else http://localhost:5561)' },
  { flags: '-u, --user <user:pass>', doc: 'authenticate with a name and a password' },
  { flags: '-B, --bearer <token>', doc: 'authenticate with a token' },
] as const satisfies readonly CommandFlag[];

/** Their values; absent ones are undefined. */
export interface PublishFlags {
  readonly id?: string;
  readonly prevId?: string;
  readonly sender?: string;
  readonly code?: string;
  readonly header?: readonly string[];
  readonly meta?: readonly string[];
  readonly hint?: true;
  readonly close?: true;
  readonly patch?: true;
  /** False with `--no-seq`. */
  readonly seq: boolean;
  /** False with `--no-eol`. */
  readonly eol: boolean;
  readonly spec?: string;
  readonly user?: string;
  readonly bearer?: string;
}

/** Those of `holdfast tap`, in the order of `--help`. */
export const tapFlags = [
  {
    flags: '--control <url>',
    doc: 'URL of the control API of any node (default $GRIP_URL, else http://localhost:5561)',
  },
  { flags: '-u, --user <user:pass>', doc: 'authenticate with a name and a password' },
  { flags: '-B, --bearer <token>', doc: 'authenticate with a token' },
] as const satisfies readonly CommandFlag[];

/** Their values; absent ones are undefined. */
export interface TapFlags {
  readonly control?: string;
  readonly user?: string;
  readonly bearer?: string;
}
