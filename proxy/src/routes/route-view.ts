/** Routes as operators see them: what their lines say, without secrets. */
import type { Route } from './route.js';
import type { SubscribeTarget } from './subscribe-target.js';
import { describeHost, type HttpTarget, type Target } from './target.js';

/** A target. */
export interface TargetView {
  /** `host:port`, `test` or `subscribe`. */
  readonly target: string;
  /** As they are written, without values that are secret. */
  readonly properties: readonly string[];
}

/** A route. */
export interface RouteView {
  /** Domain, protocol, TLS and beginning of the path, `*` for any. */
  readonly condition: string;
  readonly id?: string;
  readonly properties: readonly string[];
  readonly targets: readonly TargetView[];
}

/** What stands for a value that is not shown. */
const HIDDEN = '…';

/** The view of a route. Keys, and the values of fields that it sets, are hidden: an origin may be let in by them. */
export function viewOfRoute(route: Route): RouteView {
  const { id, key, targets } = route;
  return {
    condition: key,
    ...(id !== undefined && { id }),
    properties: [
      ...flags(route, {
        debug: 'debug',
        noGrip: 'no_grip',
        session: 'session',
        resume: 'resume',
        origHeaders: 'orig_headers',
        aco: 'aco',
      }),
      ...(route.acoOrigins?.sources ?? []).map((origin) => `aco_origins=${origin}`),
      ...(route.clientCert ? ['client_cert=require'] : []),
      ...(route.history === undefined ? [] : [route.history ? 'history' : 'history=no']),
      ...(route.presence === undefined ? [] : [route.presence === 'events' ? 'presence_events' : 'presence']),
      ...values(route, {
        prefix: 'prefix',
        asHost: 'as_host',
        replaceBeg: 'replace_beg',
        sigIss: 'sig_iss',
        sockjs: 'sockjs',
        sockjsAsPath: 'sockjs_as_path',
        requestSizeMax: 'request_size_max',
        wsMessageMax: 'ws_message_max',
        limitHolds: 'limit_holds',
        logLevel: 'log_level',
      }),
      ...(route.limitRate === undefined ? [] : [`limit_rate=${route.limitRate.perSecond}/s:${route.limitRate.burst}`]),
      ...(route.limitKey === 'address' ? [] : [`limit_key=${limitKeyText(route.limitKey)}`]),
      ...(route.pathRem === 0 ? [] : [`path_rem=${route.pathRem}`]),
      ...(route.sigKey === undefined ? [] : [`sig_key=${HIDDEN}`]),
      ...route.headers.map(([name]) => `header=${name}:${HIDDEN}`),
      ...route.linkHosts.map(({ host, port }) => `link_hosts=${host}${port === undefined ? '' : `:${port}`}`),
    ],
    targets: targets.map(viewOfTarget),
  };
}

function limitKeyText(key: Route['limitKey']): string {
  return typeof key === 'string' ? key : `header:${key.header}`;
}

function viewOfTarget(target: Target): TargetView {
  const { kind } = target;
  if (kind === 'test') return { target: kind, properties: target.channels.map((name) => `channels=${name}`) };
  if (kind === 'subscribe') {
    const properties = [
      ...values<SubscribeTarget>(target, { issuer: 'token_iss', audience: 'token_aud', cookie: 'token_cookie' }),
      ...target.keys.map(() => `token_key=${HIDDEN}`),
      ...(target.jwks === undefined ? [] : [`token_jwks=${HIDDEN}`]),
    ];
    return { target: kind, properties };
  }
  return {
    target: describeHost(target),
    properties: [
      ...flags<HttpTarget>(target, {
        ssl: 'ssl',
        insecure: 'insecure',
        trustConnectHost: 'trust_connect_host',
        untrusted: 'untrusted',
        overHttp: 'over_http',
        oneEvent: 'one_event',
      }),
      ...values<HttpTarget>(target, { hostHeader: 'host', clientCert: 'client_cert' }),
      ...target.subs.map((name) => `sub=${name}`),
    ],
  };
}

type Names<Of> = { readonly [Member in keyof Of]?: string };

function flags<Of extends object>(of: Of, names: Names<Of>): string[] {
  return Object.entries<string | undefined>(names).flatMap(([member, name]) =>
    name !== undefined && of[member as keyof Of] === true ? [name] : [],
  );
}

function values<Of extends object>(of: Of, names: Names<Of>): string[] {
  return Object.entries<string | undefined>(names).flatMap(([member, name]) => {
    const value = of[member as keyof Of];
    return name === undefined || value === undefined || value === '' ? [] : [`${name}=${value}`];
  });
}
