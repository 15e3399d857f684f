import t from 'tap';
import { RoutesError } from '../../dist/errors.js';
import { type Route, rewritePath, toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

const METHODS = new Set(['OPTIONS', 'HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

const secret = (text: string) => ({ kind: 'secret', secret: Buffer.from(text) }) as const;

function route(text: string): Route {
  return toRoute(parseRouteLine(text, 7) as RouteLine, (key) => {
    if (key === 'bad') throw new Error('the key is bad');
    return secret(key);
  });
}

t.test('presence has members listed, and presence_events has them published too', async (t) => {
  t.equal(route('*,presence h:80').presence, 'list');
  t.equal(route('*,presence_events h:80').presence, 'events');
  t.equal(route('*,presence,presence_events h:80').presence, 'events');
});

t.test('a bare line has the defaults', async (t) => {
  t.strictSame(route('* h:80'), {
    id: undefined,
    key: '*,*,*,*',
    domain: '*',
    proto: undefined,
    ssl: undefined,
    xmpp: undefined,
    pathBeg: '',
    clientCert: false,
    debug: false,
    logLevel: undefined,
    noGrip: false,
    session: false,
    history: undefined,
    resume: false,
    presence: undefined,
    prefix: '',
    reserved: '',
    limitRate: undefined,
    limitKey: 'address',
    limitHolds: undefined,
    requestSizeMax: undefined,
    channelNameMax: Number.POSITIVE_INFINITY,
    patternSeparator: '/',
    patternAll: false,
    sigIss: undefined,
    sigKey: undefined,
    headers: [],
    origHeaders: false,
    asHost: undefined,
    pathRem: 0,
    replaceBeg: undefined,
    aco: false,
    acoOrigins: undefined,
    jsonp: { mode: 'extended', callback: 'callback', defaultMethod: 'GET', methods: METHODS },
    sockjs: undefined,
    sockjsAsPath: undefined,
    linkHosts: [],
    tokenParameter: undefined,
    wsMessageMax: undefined,
    targets: [
      {
        kind: 'http',
        host: 'h',
        port: 80,
        ssl: false,
        insecure: false,
        trustConnectHost: false,
        untrusted: false,
        subs: [],
        overHttp: false,
        oneEvent: false,
      },
    ],
  });
});

const conditions: readonly (readonly [text: string, part: object])[] = [
  ['A.Test', { domain: 'a.test', key: 'a.test,*,*,*' }],
  ['a.test,proto=ws,ssl=yes,path_beg=/x', { proto: 'ws', ssl: true, pathBeg: '/x', key: 'a.test,ws,ssl,/x' }],
  ['a.test,proto=http,ssl=no', { proto: 'http', ssl: false, key: 'a.test,http,no-ssl,*' }],
  ['id=r1', { id: 'r1', domain: '', key: 'id:r1' }],
  ['*,id=r1', { id: 'r1', domain: '*', key: '*,*,*,*' }],
  [
    '*,debug,no_grip,session,orig_headers,aco',
    { debug: true, noGrip: true, session: true, origHeaders: true, aco: true },
  ],
  ['*,log_level=1', { logLevel: 'warn' }],
  ['*,log_level=9', { logLevel: 'debug' }],
  ['*,request_size_max=1MB', { requestSizeMax: 1_000_000 }],
  ['*,request_size_max=64KiB', { requestSizeMax: 65_536 }],
  ['*,request_size_max=12', { requestSizeMax: 12 }],
  ['*,request_size_max=0', { requestSizeMax: 0 }],
  ['*,prefix=p-', { prefix: 'p-' }],
  ['*,prefix=a,prefix=b', { prefix: 'b' }],
  ['*,sig_iss=i,sig_key=k', { sigIss: 'i', sigKey: secret('k') }],
  ['*,as_host=h:1', { asHost: 'h:1' }],
  ['*,path_rem=3', { pathRem: 3 }],
  ['*,link_hosts=A.example', { linkHosts: [{ host: 'a.example', port: undefined }] }],
  [
    '*,"link_hosts=a:1|[0::1]:2 bücher.example",link_hosts=0x7f.1:65535',
    {
      linkHosts: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'xn--bcher-kva.example', port: undefined },
        { host: '127.0.0.1', port: 65_535 },
      ],
    },
  ],
  ['*,path_beg=/a,replace_beg=', { replaceBeg: '' }],
  ['*,replace_beg', { replaceBeg: '' }],
  [
    '*,header=X-A:1,header="X-B: 2, 3",header=Cookie:',
    {
      headers: [
        ['Cookie', ''],
        ['X-B', '2, 3'],
        ['X-A', '1'],
      ],
    },
  ],
  ['*,header=X-A:h:1', { headers: [['X-A', 'h:1']] }],
  ['*,header=X-A:é', { headers: [['X-A', '\u00c3\u00a9']] }],
  [
    '*,jsonp_mode=basic,jsonp_cb=cb,jsonp_body=b,jsonp_defcb=d',
    { jsonp: { mode: 'basic', callback: 'cb', body: 'b', defaultCallback: 'd', defaultMethod: 'POST' } },
  ],
  ['*,jsonp_methods=GET|PURGE', { jsonp: { methods: new Set(['GET', 'PURGE']) } }],
  ['*,jsonp_methods=PUT,jsonp_methods=POST', { jsonp: { methods: new Set(['PUT', 'POST', 'GET']) } }],
  ['*,jsonp_headers=X-A|Content-Type', { jsonp: { headers: new Set(['x-a', 'content-type']) } }],
  ['*,jsonp_headers=', { jsonp: { headers: new Set() } }],
  ['*,aco_origins=https://a.test|https://*.b.test:81', { acoOrigins: { isAny: false } }],
  ['*,aco_origins=*', { acoOrigins: { isAny: true } }],
  ['*,jsonp_defmethod=PUT', { jsonp: { mode: 'extended', callback: 'callback', defaultMethod: 'PUT' } }],
  ['*,sockjs=/s,sockjs_as_path=/t', { sockjs: '/s', sockjsAsPath: '/t' }],
  ['*,unheard_of=1', { domain: '*' }],
];
for (const [text, part] of conditions)
  t.test(`the condition ${text}`, async (t) => {
    t.match(route(`${text} h:80`), part);
  });

const targets: readonly (readonly [text: string, part: object])[] = [
  ['h:65535', { host: 'h', port: 65_535 }],
  ['[::1]:8000', { host: '::1', port: 8000 }],
  ['test', { kind: 'test', subs: [], channels: ['test'] }],
  ['test,sub=a', { kind: 'test', subs: ['a'] }],
  ['test,channels=a|b,channels=c', { channels: ['a', 'b', 'c'] }],
  [
    'h:1,ssl,insecure,trust_connect_host,untrusted',
    { ssl: true, insecure: true, trustConnectHost: true, untrusted: true },
  ],
  ['h:1,host=x.test:2', { hostHeader: 'x.test:2' }],
  ['h:1,host=', { hostHeader: undefined }],
  ['h:1,sub=a,sub=b', { subs: ['a', 'b'] }],
  ['h:1,over_http,one_event', { overHttp: true, oneEvent: true }],
  ['h:1,client_cert=c.pem,client_key=k.pem', { clientCert: 'c.pem', clientKey: 'k.pem' }],
  ['h:1,weight=3', { host: 'h' }],
];
for (const [text, part] of targets)
  t.test(`the target ${text}`, async (t) => {
    t.match(route(`* ${text}`).targets[0], part);
  });

t.test('targets keep their order', async (t) => {
  t.match(route('* a:1 b:2 test').targets, [{ host: 'a' }, { host: 'b' }, { kind: 'test' }]);
});

const bad: readonly (readonly [text: string, reason: string, column: number])[] = [
  ['* host', 'target bad format', 3],
  ['* a:1 :80', 'target bad format', 7],
  ['* [::1]', 'target bad format', 3],
  ['* [zz]:1', 'target bad format', 3],
  ['* a%zz:1', 'target bad format', 3],
  ['* a<b:1', 'target bad format', 3],
  ['* a:1,host=\u010d\u010a', 'host must be visible ASCII', 3],
  ['*,as_host=\u010d\u010a a:1', 'as_host must be visible ASCII: encode the rest', 3],
  ['*,replace_beg=/\u010d\u010a a:1', 'replace_beg must be visible ASCII: encode the rest', 3],
  ['*,sockjs_as_path=/caf\u00e9 a:1', 'sockjs_as_path must be visible ASCII: encode the rest', 3],
  ['* ,ssl', 'target bad format', 3],
  ['* a:b', 'target invalid port', 3],
  ['* a:0', 'target invalid port', 3],
  ['* a:65536', 'target invalid port', 3],
  ['* ::1:80', 'target bad format', 3],
  ['* zhttp/tcp://a:1', 'zhttp targets are not supported', 3],
  ['* zhttpreq/ipc://a', 'zhttp targets are not supported', 3],
  [`* a:1,sub=${'x'.repeat(1_025)}`, 'a channel of sub has more than 1024 bytes', 3],
  ['*,proto=ftp a:1', "proto must be set to 'http' or 'ws'", 3],
  ['*,proto a:1', "proto must be set to 'http' or 'ws'", 3],
  ['*,ssl=maybe a:1', "ssl must be set to 'yes' or 'no'", 3],
  ['*,client_cert=/etc/x.crt a:1', "client_cert of a route must be set to 'require'", 3],
  ['*,client_cert a:1', "client_cert of a route must be set to 'require'", 3],
  ['*,path_beg= a:1', 'path_beg cannot be empty', 3],
  ['*,aco,jsonp_mode=x a:1', "jsonp_mode must be set to 'basic' or 'extended'", 7],
  ['*,header=X-A a:1', "header must use format 'name:value'", 3],
  ['*,header=:x a:1', "header must use format 'name:value'", 3],
  ['*,header="X A:x" a:1', "header must use format 'name:value'", 3],
  ['*,header=X-A:a\u0000b a:1', 'header has characters that HTTP does not allow', 3],
  ['*,aco_origins= a:1', 'aco_origins names no origin', 3],
  ['*,aco_origins a:1', 'aco_origins names no origin', 3],
  [
    '*,aco_origins=https://a|null a:1',
    'aco_origins: "null" is no origin such as https://a.example or https://*.a.example',
    3,
  ],
  ['*,jsonp_methods=GET|TRACE a:1', 'jsonp_methods cannot have TRACE', 3],
  ['*,jsonp_methods=a:b a:1', 'jsonp_methods cannot have a:b', 3],
  ['*,jsonp_defmethod=connect a:1', 'jsonp_defmethod cannot be connect', 3],
  ['*,jsonp_headers=X-A|Cookie a:1', 'jsonp_headers cannot have Cookie: it is not for pages to set', 3],
  ['*,jsonp_headers=Grip_Sig a:1', 'jsonp_headers cannot have Grip_Sig: it is not for pages to set', 3],
  [',debug a:1', 'condition has no domain or id', 0],
  ...['', '=', '=|'].map((text) => [`*,link_hosts${text} a:1`, 'link_hosts must name at least one host', 3] as const),
  ...['http://a', 'a/b', 'a:0', 'a:65536', 'a:b', '::1', 'u@a', '*', '*.a.example', 'a?b', '[::1'].map(
    (host) => [`*,link_hosts=b|${host} a:1`, `link_hosts: '${host}' is no host, or host:port`, 3] as const,
  ),
  ['* test,channels', 'channels must name at least one channel', 3],
  ['* test,channels=|', 'channels must name at least one channel', 3],
  ['*,path_rem=-1 a:1', 'path_rem must be a whole number', 3],
  ['*,log_level=x a:1', 'log_level must be a whole number', 3],
  ['*,request_size_max=-1 a:1', 'request_size_max must be a number of bytes, such as 64KiB or 1MB', 3],
  ['*,request_size_max=1XB a:1', 'request_size_max must be a number of bytes, such as 64KiB or 1MB', 3],
  ['*,request_size_max a:1', 'request_size_max must be a number of bytes, such as 64KiB or 1MB', 3],
  ['*,sig_key=bad a:1', 'sig_key: the key is bad', 3],
];
for (const [text, reason, column] of bad)
  t.test(`answers ${JSON.stringify(text)} with "${reason}"`, async (t) => {
    try {
      route(text);
      t.fail('was taken');
    } catch (error) {
      t.type(error, RoutesError);
      const code = reason.startsWith('sig_key') ? 'ERR_CONFIG_KEY' : 'ERR_CONFIG_ROUTE_LINE';
      t.match(error, { code, reason, line: 7, column });
    }
  });

const paths: readonly (readonly [condition: string, path: string, result: string])[] = [
  ['*', '/a?b', '/a?b'],
  ['*,path_beg=/dead/not,path_rem=9', '/dead/not/x?y=1', '/x?y=1'],
  ['*,path_beg=/rem3,path_rem=5', '/rem3/x', '/x'],
  ['*,path_rem=5', '/rem3', '/'],
  ['*,path_rem=50', '/short?q=/1', '/?q=/1'],
  ['*,path_beg=/old,replace_beg=/new', '/old/x?y', '/new/x?y'],
  ['*,path_beg=/a/,replace_beg=/z/', '/a/q?x=1', '/z/q?x=1'],
  ['*,path_beg=/strip,replace_beg=', '/strip/x', '/x'],
  ['*,path_beg=/strip,replace_beg=', '/strip', '/'],
  ['*,path_beg=/strip,replace_beg=', '/strip?q', '/?q'],
  ['*,path_beg=/a,replace_beg=b', '/a/c', '/b/c'],
  ['*,path_beg=/a,replace_beg=/b,path_rem=1', '/a/c', '/b/c'],
  ['id=r,replace_beg=/prefix', '/x', '/prefix/x'],
];
for (const [condition, path, result] of paths)
  t.test(`${condition} sends ${path} on as ${result}`, async (t) => {
    t.equal(rewritePath(route(`${condition} h:1`), path), result);
  });

t.test('ws_message_max is a number of bytes, with or without a unit', async (t) => {
  for (const [text, bytes] of [
    ['1', 1],
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['1MB', 1_000_000],
  ] as const)
    t.equal(route(`*,ws_message_max=${text} h:80`).wsMessageMax, bytes);
  for (const text of ['', '=', '=0', '=-1', '=x', '=1.5', '=1e400'])
    t.throws(() => route(`*,ws_message_max${text} h:80`), {
      message: /: ws_message_max must be a number of bytes, 1 at least$/,
    });
});
