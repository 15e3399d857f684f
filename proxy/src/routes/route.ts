/** A route: which requests it takes, what it does to them, and the targets it sends them to. */
import { isToken, type SigKey } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { AllowedOrigins } from '../config/types/allowed-origins.js';
import { type LogLevel, logLevels } from '../config/types/values.js';
import { parseLimitKey, parseMessageMax, parseRate, type RouteLimitProps } from './limit-props.js';
import { type LinkHost, Props, type ReadSigKey } from './props.js';
import type { RouteLine } from './routes-file.js';
import { isForbiddenField, isForbiddenMethod } from './script-fields.js';
import { readInlineKeys, type TokenParameter } from './subscribe-target.js';
import { type Target, toTarget, withoutRoot } from './target.js';

/** JSON-P properties of a route; meaningful with `aco`. */
export interface JsonpRule {
  readonly mode: 'basic' | 'extended';
  /** Name of the callback parameter. */
  readonly callback: string;
  /** Name of the parameter that holds the request body. */
  readonly body?: string;
  /** Callback used when only the body parameter is there. */
  readonly defaultCallback?: string;
  readonly defaultMethod: string;
  /** Methods that a call may ask for; the default one is among them. */
  readonly methods: ReadonlySet<string>;
  /** Lower-case names of the only fields that a call may set; undefined: all that are not forbidden. */
  readonly headers?: ReadonlySet<string>;
}

/** Methods of JSON-P calls where a route does not name them. */
const JSONP_METHODS: readonly string[] = ['OPTIONS', 'HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What holds for a request that no route with properties of its own takes. */
export const defaultJsonp: JsonpRule = {
  mode: 'extended',
  callback: 'callback',
  defaultMethod: 'GET',
  methods: new Set(JSONP_METHODS),
};

/** One routes line, understood. Immutable: a request keeps its route although the table is replaced meanwhile. */
export interface Route extends RouteLimitProps {
  /** Explicit id: separate statistics, `route=` in logs, choice by `Pushpin-Route`. */
  readonly id: string | undefined;
  /** Generated from the condition, `domain,proto,ssl,path_beg` with `*` for any; `id:<id>` without a domain. */
  readonly key: string;
  /** Lower case; `*` for any; empty when the route can be chosen by id only. */
  readonly domain: string;
  readonly proto: 'http' | 'ws' | undefined;
  /** Takes only TLS (true) or only plain (false) client connections. */
  readonly ssl: boolean | undefined;
  /** Takes stanzas for this domain of ours, in lower case, and no requests (`xmpp=<domain>`). */
  readonly xmpp: string | undefined;
  /** Takes only clients that have shown a certificate (`client_cert=require`). */
  readonly clientCert: boolean;
  /** Prefix of the encoded path, not bound to segments; empty for any. */
  readonly pathBeg: string;
  readonly debug: boolean;
  /** The most talkative level at which requests of this route are logged. */
  readonly logLevel: LogLevel | undefined;
  readonly noGrip: boolean;
  readonly session: boolean;
  /** Holds are served from the history (`history`, `history=no`); undefined: as the configuration says. */
  readonly history: boolean | undefined;
  /** WebSocket clients that ask for it get tokens with which to come back (`resume`). */
  readonly resume: boolean;
  /** Who is on its channels can be seen (`presence`), and is published too (`presence_events`). Undefined: neither. */
  readonly presence: 'list' | 'events' | undefined;
  /** Put before every channel that the origin names: `prefix`, and behind it the separator if there is one. */
  readonly prefix: string;
  /** What no channel may contain that the origin names: the separator, where there is no prefix. Empty for nothing. */
  readonly reserved: string;
  /** Longest request body in bytes, 0 for any; undefined: as the configuration says. */
  readonly requestSizeMax: number | undefined;
  /** Most bytes of a channel's full name; see `channelNameFault`. */
  readonly channelNameMax: number;
  /** Between the segments of patterns; empty for none. */
  readonly patternSeparator: string;
  /** Its origin may have patterns that begin with a star. */
  readonly patternAll: boolean;
  readonly sigIss: string | undefined;
  readonly sigKey: SigKey | undefined;
  /**
   * Request headers to set, in the order in which to apply them: the last written comes first, as in Pushpin, so that
   * of a repeated name the first written stays. An empty value removes the header.
   */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly origHeaders: boolean;
  /** `host[:port]` that replaces the request's. */
  readonly asHost: string | undefined;
  readonly pathRem: number;
  /** Replaces `pathBeg` and overrides `pathRem`; may be empty. */
  readonly replaceBeg: string | undefined;
  /** Automatic CORS and JSON-P. */
  readonly aco: boolean;
  /** Whose scripts it is for; undefined: as the configuration says. */
  readonly acoOrigins: AllowedOrigins | undefined;
  readonly jsonp: JsonpRule;
  /** Path prefix under which SockJS is served. */
  readonly sockjs: string | undefined;
  /** Origin path of SockJS sessions. */
  readonly sockjsAsPath: string | undefined;
  /** Hosts beside targets to which links and filter URLs may lead; unsigned. */
  readonly linkHosts: readonly LinkHost[];
  /** The parameter that is taken out of queries, as it may have a token for a `subscribe` target; undefined without one. */
  readonly tokenParameter: TokenParameter | undefined;
  /** At least one; tried from left to right. */
  readonly targets: readonly Target[];
}

/** What channels may be called that origins name. */
export type ChannelNaming = Partial<
  Pick<Options, 'prefixSeparator' | 'channelNameMax' | 'patternSeparator' | 'patternAll'>
>;

function jsonpRule(props: Props): JsonpRule {
  const reason = "jsonp_mode must be set to 'basic' or 'extended'";
  const mode = props.choice('jsonp_mode', ['basic', 'extended'], reason) ?? 'extended';
  const body = props.filled('jsonp_body');
  const defaultCallback = props.filled('jsonp_defcb');
  const defaultMethod = props.filled('jsonp_defmethod') ?? (mode === 'basic' ? 'POST' : 'GET');
  const headers = jsonpHeaders(props);
  return {
    mode,
    callback: props.filled('jsonp_cb') ?? 'callback',
    ...(body === undefined ? {} : { body }),
    ...(defaultCallback === undefined ? {} : { defaultCallback }),
    defaultMethod,
    methods: jsonpMethods(props, defaultMethod),
    ...(headers === undefined ? {} : { headers }),
  };
}

function jsonpMethods(props: Props, defaultMethod: string): ReadonlySet<string> {
  const methods = props.list('jsonp_methods') ?? JSONP_METHODS;
  const wrong = [...methods, defaultMethod].find((method) => !isToken(method) || isForbiddenMethod(method));
  if (wrong === defaultMethod) throw props.error('jsonp_defmethod', `jsonp_defmethod cannot be ${wrong}`);
  if (wrong !== undefined) throw props.error('jsonp_methods', `jsonp_methods cannot have ${wrong}`);
  return new Set([...methods, defaultMethod]);
}

function jsonpHeaders(props: Props): ReadonlySet<string> | undefined {
  const names = props.list('jsonp_headers');
  const wrong = names?.find((name) => !isToken(name) || isForbiddenField(name));
  if (wrong !== undefined)
    throw props.error('jsonp_headers', `jsonp_headers cannot have ${wrong}: it is not for pages to set`);
  return names && new Set(names.map((name) => name.toLowerCase()));
}

function acoOrigins(props: Props): AllowedOrigins | undefined {
  const entries = props.list('aco_origins');
  if (entries?.length === 0) throw props.error('aco_origins', 'aco_origins names no origin');
  try {
    return entries && new AllowedOrigins(entries);
  } catch (error) {
    throw props.error('aco_origins', `aco_origins: ${(error as Error).message}`, error);
  }
}

function limitProps(props: Props): RouteLimitProps {
  const rate = props.text('limit_rate');
  const limitRate = rate === undefined ? undefined : parseRate(rate);
  if (rate !== undefined && limitRate === undefined)
    throw props.error('limit_rate', 'limit_rate must have the form 20/s or 20/s:40; m and h stand for minute and hour');
  const key = props.text('limit_key');
  const limitKey = key === undefined ? 'address' : parseLimitKey(key);
  if (limitKey === undefined) throw props.error('limit_key', "limit_key must be 'address', 'user' or 'header:NAME'");
  const limitHolds = props.count('limit_holds');
  if (limitHolds === 0) throw props.error('limit_holds', 'limit_holds must be 1 at least');
  const size = props.text('ws_message_max');
  const wsMessageMax = size === undefined ? undefined : parseMessageMax(size);
  if (wsMessageMax === 0) throw props.error('ws_message_max', 'ws_message_max must be a number of bytes, 1 at least');
  return { limitRate, limitKey, limitHolds, wsMessageMax };
}

function condition(
  props: Props,
  value: string,
): Pick<Route, 'id' | 'key' | 'domain' | 'proto' | 'ssl' | 'xmpp' | 'pathBeg'> {
  const domain = withoutRoot(value.toLowerCase());
  const id = props.filled('id');
  if (domain === '' && id === undefined) throw props.error('', 'condition has no domain or id');
  const proto = props.choice('proto', ['http', 'ws'], "proto must be set to 'http' or 'ws'");
  const ssl = isYes(props.choice('ssl', ['yes', 'no'], "ssl must be set to 'yes' or 'no'"));
  const pathBeg = props.text('path_beg') ?? '';
  if (pathBeg === '' && props.has('path_beg')) throw props.error('path_beg', 'path_beg cannot be empty');
  const xmpp = xmppDomain(props, domain);
  if (xmpp !== undefined) return { id, key: `xmpp:${xmpp},${pathBeg || '*'}`, domain, proto, ssl, xmpp, pathBeg };
  const generated = [domain, proto ?? '*', ssl === undefined ? '*' : ssl ? 'ssl' : 'no-ssl', pathBeg || '*'].join(',');
  const key = domain === '' ? `id:${id}` : generated;
  return { id, key, domain, proto, ssl, xmpp, pathBeg };
}

/** Conditions that a stanza cannot meet are refused: the route would look narrower than it is. */
function xmppDomain(props: Props, domain: string): string | undefined {
  const xmpp = props.text('xmpp')?.toLowerCase();
  if (xmpp === undefined) return undefined;
  if (!/^[^\s/@]+$/.test(xmpp)) throw props.error('xmpp', 'xmpp must be the domain of the component');
  if (domain !== '*')
    throw props.error('xmpp', 'a route with xmpp takes stanzas, whatever the host: its domain must be *');
  for (const name of ['proto', 'ssl', 'client_cert'] as const) {
    if (props.has(name)) throw props.error(name, `${name} means nothing for stanzas: leave it out where xmpp is`);
  }
  return xmpp;
}

/** A flag means yes. */
function isYes(choice: '' | 'yes' | 'no' | undefined): boolean | undefined {
  return choice === undefined ? undefined : choice !== 'no';
}

/**
 * Understands one line. Unknown properties are passed over, as in Pushpin. `prefixSeparator` goes between prefixes and
 * channels; empty for none. `channelNameMax` is for all channels of its origins.
 * @throws RoutesError with Pushpin's texts where it has the same check
 */
export function toRoute(
  line: RouteLine,
  readSigKey: ReadSigKey,
  naming: ChannelNaming = {},
  tokenKeys = readInlineKeys,
): Route {
  const { prefixSeparator = '', channelNameMax = Number.POSITIVE_INFINITY } = naming;
  const { patternSeparator = '/', patternAll = false } = naming;
  const props = new Props(line.condition.props, line.line);
  const level = props.count('log_level');
  const targets = line.targets.map((target) => toTarget(target, line.line, channelNameMax, tokenKeys));
  if (props.has('no_grip') && targets.some(({ kind }) => kind === 'subscribe'))
    throw props.error('no_grip', 'no_grip cannot be given for a subscribe target, which holds clients by GRIP');
  return {
    ...condition(props, line.condition.value),
    clientCert:
      props.choice('client_cert', ['require'], "client_cert of a route must be set to 'require'") !== undefined,
    debug: props.has('debug'),
    logLevel: level === undefined ? undefined : logLevels[Math.min(level, 3)],
    noGrip: props.has('no_grip'),
    session: props.has('session'),
    history: isYes(props.choice('history', ['', 'yes', 'no'], "history must be a flag or set to 'yes' or 'no'")),
    resume: props.has('resume'),
    presence: props.has('presence_events') ? 'events' : props.has('presence') ? 'list' : undefined,
    ...props.prefix(prefixSeparator),
    requestSizeMax: props.size('request_size_max'),
    channelNameMax,
    patternSeparator,
    patternAll,
    sigIss: props.filled('sig_iss'),
    sigKey: props.sigKey(readSigKey),
    headers: props.headers(),
    origHeaders: props.has('orig_headers'),
    asHost: props.visible('as_host') || undefined,
    pathRem: props.count('path_rem') ?? 0,
    replaceBeg: props.visible('replace_beg'),
    aco: props.has('aco'),
    acoOrigins: acoOrigins(props),
    jsonp: jsonpRule(props),
    sockjs: props.filled('sockjs'),
    sockjsAsPath: props.visible('sockjs_as_path') || undefined,
    linkHosts: props.linkHosts(),
    ...limitProps(props),
    tokenParameter: targets.find((target) => target.kind === 'subscribe')?.query,
    targets,
  };
}

/**
 * The path for the origin: `replace_beg` in place of `path_beg`, or `path_rem` characters less. The query is kept, and
 * the result always begins with `/`. `pathAndQuery` is the encoded request target in origin form.
 */
export function rewritePath(route: Route, pathAndQuery: string): string {
  const { replaceBeg, pathBeg, pathRem } = route;
  const remove = replaceBeg === undefined ? pathRem : pathBeg.length;
  if (remove === 0 && !replaceBeg) return pathAndQuery;
  const query = pathAndQuery.indexOf('?');
  const pathEnd = query === -1 ? pathAndQuery.length : query;
  const rewritten = (replaceBeg ?? '') + pathAndQuery.slice(Math.min(remove, pathEnd));
  return rewritten.startsWith('/') ? rewritten : `/${rewritten}`;
}
