/** The flags of `holdfast publish`, `holdfast tap` and `holdfast token`, as they are shown and as they are read. */

/** One flag of `publish` or `tap`. */
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
  { flags: '--channel <channel>', doc: 'publish the item to this channel too', many: true },
  { flags: '--deliver <to>', doc: 'all: to all subscribers (default); one: to one of all nodes, in turn' },
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
  readonly channel?: readonly string[];
  readonly deliver?: string;
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

/** Those of `holdfast token`, in the order of `--help`. */
export const tokenFlags = [
  { flags: '--iss <issuer>', doc: 'iss of the key (default that of $GRIP_URL)' },
  { flags: '--key-file <path>', doc: 'file with the key: a secret, or a private key in PEM' },
  { flags: '--key <key>', doc: 'the key itself; others on this machine can see it (default that of $GRIP_URL)' },
  { flags: '--ttl <time>', doc: 'how long the token is valid, such as 90s, 10m or 24h (default 10m)' },
  { flags: '--allow <list>', doc: 'actions of the key that the token takes, separated by commas (default all)' },
  { flags: '--channels <list>', doc: 'channels that the token takes; * stands for any characters (default all)' },
  { flags: '--aud <audience>', doc: 'aud of the key, if it has one' },
  { flags: '--sub <name>', doc: 'for whom the token is, for the log' },
  { flags: '--kid <id>', doc: 'id of the key in its key set' },
] as const satisfies readonly CommandFlag[];

/** Their values; absent ones are undefined. */
export interface TokenFlags {
  readonly iss?: string;
  readonly keyFile?: string;
  readonly key?: string;
  readonly ttl?: string;
  readonly allow?: string;
  readonly channels?: string;
  readonly aud?: string;
  readonly sub?: string;
  readonly kid?: string;
}
