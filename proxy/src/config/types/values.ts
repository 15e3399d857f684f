/** Options with a syntax of their own, as text and as values: listeners, the rule for X-Forwarded-For, log levels. */
import { BlockList, isIP } from 'node:net';

/** A TCP address to bind. */
export interface Listen {
  /** An IP address (IPv6 without brackets) or a host name; `0.0.0.0` when the text had none. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** A unix socket to bind, with the permissions it is given after binding. */
export interface SocketListen {
  readonly path: string;
  /** Permission bits, for example 0o660. */
  readonly mode?: number;
  readonly user?: string;
  readonly group?: string;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a listener bound to `host`. An unknown host name counts as public. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** `7999`, `127.0.0.1:7999`, `[::]:7999`, `*:7999`; undefined when the text is none of these. */
export function parseListen(text: string): Listen | undefined {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  return { host: plain === undefined || plain === '*' ? '0.0.0.0' : plain, port };
}

/** The inverse of `parseListen`; also the text of start-up lines. */
export function formatListen(listen: Listen): string {
  return listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`;
}

/** `path?mode=octal&user=u&group=g`; undefined when the path is empty, or a parameter is unknown or malformed. */
export function parseSocketListen(text: string): SocketListen | undefined {
  const trimmed = text.trim();
  const at = trimmed.indexOf('?');
  const path = at === -1 ? trimmed : trimmed.slice(0, at);
  if (path === '') return undefined;
  const socket: { path: string; mode?: number; user?: string; group?: string } = { path };
  for (const [name, value] of new URLSearchParams(at === -1 ? '' : trimmed.slice(at + 1))) {
    if (name === 'mode' && /^[0-7]{1,4}$/.test(value)) socket.mode = Number.parseInt(value, 8);
    else if ((name === 'user' || name === 'group') && value !== '') socket[name] = value;
    else return undefined;
  }
  return socket;
}

/** The inverse of `parseSocketListen`. */
export function formatSocketListen(socket: SocketListen): string {
  const params = new URLSearchParams();
  if (socket.mode !== undefined) params.set('mode', socket.mode.toString(8));
  if (socket.user !== undefined) params.set('user', socket.user);
  if (socket.group !== undefined) params.set('group', socket.group);
  return params.size === 0 ? socket.path : `${socket.path}?${params}`;
}

/**
 * The rule for X-Forwarded-For (`x_forwarded_for`, `x_forwarded_for_trusted`): first keep the last `truncate` addresses (all, if
 * undefined; none, if 0), then append the client's if `append`.
 */
export interface ForwardedForRule {
  readonly truncate?: number;
  readonly append: boolean;
}

/** Comma list of `truncate:N` and `append`; empty means "leave as it is". Undefined when malformed. */
export function parseForwardedFor(text: string): ForwardedForRule | undefined {
  let truncate: number | undefined;
  let append = false;
  for (const piece of text.split(',').map((word) => word.trim())) {
    const count = /^truncate:(\d{1,9})$/.exec(piece)?.[1];
    if (count !== undefined) truncate = Number(count);
    else if (piece === 'append') append = true;
    else if (piece !== '') return undefined;
  }
  return truncate === undefined ? { append } : { truncate, append };
}

/** The inverse of `parseForwardedFor`. */
export function formatForwardedFor(rule: ForwardedForRule): string {
  const pieces = rule.truncate === undefined ? [] : [`truncate:${rule.truncate}`];
  return (rule.append ? [...pieces, 'append'] : pieces).join(',');
}

/** From the quietest to the most talkative; the index is Pushpin's number. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;

/** A level name. */
export type LogLevel = (typeof logLevels)[number];

/** The level for everything, and the levels of the parts that differ. */
export interface LogLevels {
  readonly level: LogLevel;
  /** By part: Holdfast's names, or Pushpin's service names (`proxy`, `handler`, `connmgr`). */
  readonly parts: Readonly<Record<string, LogLevel>>;
}

const levelNames: ReadonlyMap<string, LogLevel> = new Map([['warning', 'warn']]);

/** `0`–`3` or a name; a number above 3 means debug, as in Pushpin. Undefined for anything else. */
function parseLogLevel(text: string): LogLevel | undefined {
  const word = text.trim().toLowerCase();
  if (/^\d+$/.test(word)) return logLevels[Math.min(Number(word), 3)];
  return logLevels.find((level) => level === word) ?? levelNames.get(word);
}

/** `2`, `info`, `2,proxy:3`, `proxy:debug` (the rest then info). Undefined when any piece is malformed. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let level: LogLevel = 'info';
  const parts: Record<string, LogLevel> = {};
  for (const piece of text.split(',')) {
    const at = piece.indexOf(':');
    const parsed = parseLogLevel(piece.slice(at + 1));
    if (parsed === undefined) return undefined;
    const part = at === -1 ? '' : piece.slice(0, at).trim();
    if (at === -1) level = parsed;
    else if (/^[\w-]+$/.test(part)) parts[part] = parsed;
    else return undefined;
  }
  return { level, parts };
}

/** The inverse of `parseLogLevels`. */
export function formatLogLevels(levels: LogLevels): string {
  return [levels.level, ...Object.entries(levels.parts).map(([part, level]) => `${part}:${level}`)].join(',');
}
