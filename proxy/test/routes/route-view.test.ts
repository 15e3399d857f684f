/** Routes as operators see them: what is in force, without what is secret. */
import t from 'tap';
import { toRoute } from '../../dist/routes/route.js';
import { viewOfRoute } from '../../dist/routes/route-view.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

const secret = (text: string) => ({ kind: 'secret', secret: Buffer.from(text) }) as const;
const view = (line: string) => viewOfRoute(toRoute(parseRouteLine(line, 1) as RouteLine, secret));

t.test('a condition, its properties, and the targets in the order in which they are tried', async (t) => {
  t.strictSame(
    view(
      'a.test,id=x,proto=ws,path_beg=/a,aco,aco_origins=https://b.test|https://c.test,limit_rate=20/s:40,limit_key=header:x-id h:1,ssl,sub=s [::1]:2,over_http test',
    ),
    {
      condition: 'a.test,ws,*,/a',
      id: 'x',
      properties: [
        'aco',
        'aco_origins=https://b.test',
        'aco_origins=https://c.test',
        'limit_rate=20/s:40',
        'limit_key=header:x-id',
      ],
      targets: [
        { target: 'h:1', properties: ['ssl', 'sub=s'] },
        { target: '[::1]:2', properties: ['over_http'] },
        { target: 'test', properties: ['channels=test'] },
      ],
    },
  );
  t.strictSame(view('* h:1'), { condition: '*,*,*,*', properties: [], targets: [{ target: 'h:1', properties: [] }] });
});

t.test('keys and the values of fields are hidden', async (t) => {
  const shown = view('*,sig_iss=me,sig_key=hidden,header=Authorization:hidden h:1,client_key=hidden,client_cert=c.pem');
  t.strictSame(shown.properties, ['sig_iss=me', 'sig_key=…', 'header=Authorization:…']);
  t.notMatch(JSON.stringify(shown), 'hidden');
});
