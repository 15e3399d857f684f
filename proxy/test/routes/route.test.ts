import t from 'tap';
import { RoutesError } from '../../dist/config/errors.js';
import { parseRouteLine, type RouteLine } from '../../dist/config/routes-file.js';
import { type Route, rewritePath, toRoute } from '../../dist/routes/route.js';

const secret = (text: string) => ({ kind: 'secret', secret: Buffer.from(text) }) as const;

function route(text: string): Route {
  return toRoute(parseRouteLine(text, 7) as RouteLine, (key) => {
    if (key === 'bad') throw new Error('the key is bad');
    return secret(key);
  });
}

t.test('a bare line has the defaults', async (t) => {
  t.strictSame(route('* h:80'), {
    id: undefined,
    key: '*,*,*,*',
    domain: '*',
    proto: undefined,
    ssl: undefined,
    pathBeg: '',
    debug: false,
    logLevel: undefined,
    noGrip: false,
    session: false,
    history: undefined,
    resume: false,
    prefix: '',
    sigIss: undefined,
    sigKey: undefined,
    headers: [],
    origHeaders: false,
    asHost: undefined,
    pathRem: 0,
    replaceBeg: undefined,
    aco: false,
    jsonp: { mode: 'extended', callback: 'callback', defaultMethod: 'GET' },
    sockjs: undefined,
    sockjsAsPath: undefined,
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
  ['*,prefix=p-', { prefix: 'p-' }],
  ['*,prefix=a,prefix=b', { prefix: 'b' }],
  ['*,sig_iss=i,sig_key=k', { sigIss: 'i', sigKey: secret('k') }],
  ['*,as_host=h:1', { asHost: 'h:1' }],
  ['*,path_rem=3', { pathRem: 3 }],
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
  ['test', { kind: 'test', subs: [] }],
  ['test,sub=a', { kind: 'test', subs: ['a'] }],
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
  ['*,path_beg= a:1', 'path_beg cannot be empty', 3],
  ['*,aco,jsonp_mode=x a:1', "jsonp_mode must be set to 'basic' or 'extended'", 7],
  ['*,header=X-A a:1', "header must use format 'name:value'", 3],
  ['*,header=:x a:1', "header must use format 'name:value'", 3],
  ['*,header="X A:x" a:1', "header must use format 'name:value'", 3],
  ['*,header=X-A:a\u0000b a:1', 'header has characters that HTTP does not allow', 3],
  [',debug a:1', 'condition has no domain or id', 0],
  ['*,path_rem=-1 a:1', 'path_rem must be a whole number', 3],
  ['*,log_level=x a:1', 'log_level must be a whole number', 3],
  ['*,sig_key=bad a:1', 'sig_key: the key is bad', 3],
];
for (const [text, reason, column] of bad)
  t.test(`answers ${JSON.stringify(text)} with "${reason}"`, async (t) => {
    try {
      route(text);
      t.fail('was taken');
    } catch (error) {
      t.type(error, RoutesError);
      t.match(error, { code: 'ERR_CONFIG_ROUTE_LINE', reason, line: 7, column });
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
