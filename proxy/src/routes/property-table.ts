/** Every property of a routes line. What is known at which place, what code may ask for, and the tables of docs/routes.md are made of it. */

/** Properties that belong together. */
export interface PropertyRow {
  /** As they are written: `name`, or `name=VALUE` with what stands for the value. */
  readonly forms: readonly string[];
  /** What they do; Markdown of docs/routes.md. */
  readonly meaning: string;
}

/** Of a route, after its domain. */
export const routeRows = [
  {
    forms: ['id=ID'],
    meaning: 'names the route in logs and statistics; `Pushpin-Route` can choose it (`accept_pushpin_route`)',
  },
  {
    forms: ['proto=http|ws', 'ssl=yes|no', 'path_beg=PATH'],
    meaning: 'the condition: protocol, TLS, beginning of the path',
  },
  {
    forms: ['xmpp=DOMAIN'],
    meaning:
      "takes [XMPP stanzas](xmpp.md) for the domain of the component, and no requests. The route's domain is `*`; `path_beg=/NAME` limits it to addresses that begin with `NAME`; `proto`, `ssl` and `client_cert` are errors",
  },
  {
    forms: ['client_cert=require'],
    meaning: 'takes only clients that have shown a [certificate](#certificates-of-clients); others get 403',
  },
  { forms: ['as_host=HOST'], meaning: 'the `Host` for the origin' },
  { forms: ['path_rem=N', 'replace_beg=PATH'], meaning: 'removes N characters of the path, or replaces `path_beg`' },
  { forms: ['header=NAME:VALUE'], meaning: 'sets a request header; empty removes it' },
  { forms: ['orig_headers'], meaning: 'adds a marked copy of each header of the client' },
  {
    forms: ['prefix=TEXT'],
    meaning: 'goes before every channel that the origin names: [below](#prefixes-that-keep-origins-apart)',
  },
  { forms: ['sig_iss=TEXT', 'sig_key=KEY'], meaning: 'issuer and key of `Grip-Sig` for this route' },
  { forms: ['no_grip'], meaning: 'an ordinary proxy: no GRIP with this origin' },
  { forms: ['debug'], meaning: 'reasons of errors in answers' },
  {
    forms: ['history', 'history=no', 'resume'],
    meaning: 'clients get what they missed: [history.md](history.md)',
  },
  {
    forms: ['presence', 'presence_events'],
    meaning: 'who is on its channels can be listed, and is published: [presence.md](presence.md)',
  },
  {
    forms: ['link_hosts=HOST|HOST:PORT|…'],
    meaning: 'further hosts to which [links](#where-links-lead) can lead',
  },
  {
    forms: ['request_size_max=SIZE'],
    meaning:
      'the longest request body, such as `64KiB`, `1MB` or plain bytes; 0 for any. Without it the option of this name holds',
  },
  {
    forms: ['ws_message_max=SIZE'],
    meaning:
      'the longest message of a WebSocket or SockJS client, such as `64KiB`; a longer one closes its session with 1009. It lowers `websocket_message_max` for what clients send; a message is still read up to that',
  },
  {
    forms: ['limit_rate=N/s', 'limit_rate=N/s:BURST'],
    meaning:
      'requests of one client per second (`/m`, `/h`: minute, hour), and how many at once: [limits](operations.md#limits-for-clients)',
  },
  { forms: ['limit_holds=N'], meaning: 'holds and WebSockets that one client may have at the same time' },
  {
    forms: ['limit_key=address|header:NAME|user'],
    meaning: 'what tells clients apart for these limits',
  },
  { forms: ['log_level=N'], meaning: 'the most detailed level at which requests of this route are logged' },
  {
    forms: ['aco', 'aco_origins=SITE|…'],
    meaning: 'CORS and JSON-P by the proxy, and the sites that it is for',
  },
  {
    forms: [
      'jsonp_mode=basic|extended',
      'jsonp_cb=NAME',
      'jsonp_body=NAME',
      'jsonp_defcb=NAME',
      'jsonp_defmethod=METHOD',
      'jsonp_methods=METHOD|…',
      'jsonp_headers=NAME|…',
    ],
    meaning: 'the rules of JSON-P',
  },
  {
    forms: ['sockjs=PATH', 'sockjs_as_path=PATH'],
    meaning: 'serves SockJS under the path; the path of its sessions for the origin',
  },
  { forms: ['session'], meaning: 'no effect' },
] as const satisfies readonly PropertyRow[];

/** Of a target with an address, after `host:port`. `ipc_file_mode` is of Pushpin's own sockets. */
export const originRows = [
  { forms: ['ssl'], meaning: 'TLS to the origin' },
  { forms: ['insecure'], meaning: 'does not verify its certificate' },
  { forms: ['host=HOST'], meaning: '`Host` and server name for the target' },
  {
    forms: ['trust_connect_host'],
    meaning: 'verifies the certificate against the connect host, in spite of `host`',
  },
  {
    forms: ['client_cert=PATH', 'client_key=PATH'],
    meaning: 'certificate and key for an origin that asks for one',
  },
  { forms: ['untrusted'], meaning: 'refuses [private addresses](#untrusted-targets)' },
  { forms: ['sub=CHANNEL'], meaning: 'subscribes everything on this target to the channel' },
  { forms: ['over_http', 'one_event'], meaning: 'WebSockets as HTTP requests; one event per request' },
  { forms: ['ipc_file_mode=MODE'], meaning: 'no effect' },
] as const satisfies readonly PropertyRow[];

/** Of the target `test`. */
export const testRows = [
  {
    forms: ['channels=A|B|…'],
    meaning:
      "the channels that clients can name with `?channel=`; without it only `test`. Clients that name none get the first. The route's `prefix` goes before them",
  },
] as const satisfies readonly PropertyRow[];

/** Of the target `subscribe`; also a table of docs/subscribe.md. */
export const subscribeRows = [
  {
    forms: ['token_key=KEY'],
    meaning: 'a secret, `base64:…`, a JWK, or `file:PATH` with any of them or a PEM. Up to eight: all of them count',
  },
  {
    forms: ['token_jwks=URL', 'token_jwks_ca=PATH'],
    meaning:
      'in place of `token_key`: the https URL of a [key set](security.md#tokens), and the authorities of its server. Needs `token_iss`',
  },
  {
    forms: ['token_iss=TEXT', 'token_aud=TEXT'],
    meaning: 'the `iss` and `aud` that tokens must have. Give `token_aud` where the issuer makes tokens for others too',
  },
  {
    forms: ['public_channels=NAME|PATTERN|…'],
    meaning: 'channels for everybody. Without `token_key` and `token_jwks` there are no others',
  },
  {
    forms: ['allow_origin=SITE|…'],
    meaning: 'sites whose pages may use it: `https://a.example`, `https://*.a.example`, or `*`',
  },
  {
    forms: ['token_cookie=NAME'],
    meaning: 'the cookie, `holdfast_token` without it; empty for none',
  },
  {
    forms: ['token_query', 'token_query=NAME'],
    meaning: 'the query may have a token, by the parameter `holdfast-token` or this one',
  },
] as const satisfies readonly PropertyRow[];

/** Of both of them. */
export const heldRows = [
  { forms: ['sub=CHANNEL'], meaning: 'a channel that every client is on, by its full name' },
] as const satisfies readonly PropertyRow[];

type NameOf<Form extends string> = Form extends `${infer Name}=${string}` ? Name : Form;

/** A name that a route may have. */
export type RoutePropName = NameOf<(typeof routeRows)[number]['forms'][number]>;

/** A name that a target with an address may have. */
export type OriginPropName = NameOf<(typeof originRows)[number]['forms'][number]>;

/** A name that a `subscribe` target may have. */
export type SubscribePropName = NameOf<(typeof subscribeRows | typeof heldRows)[number]['forms'][number]>;

/** Names of the properties that a condition may have. */
export const routeProps: readonly string[] = namesOf(routeRows);

/** Names of the properties that a target may have. */
export const targetProps: readonly string[] = namesOf([...originRows, ...testRows, ...subscribeRows, ...heldRows]);

function namesOf(rows: readonly PropertyRow[]): string[] {
  const names = rows.flatMap(({ forms }) => forms.map((form) => form.split('=', 1)[0] as string));
  return [...new Set(names)];
}
