/** What the uws edge does with server names, of which its library forgets none; what every edge does is in `tls.test.ts`. */
import t from 'tap';
import type { UwsCertificate, UwsLibrary } from '../../dist/edge/uws/library.js';
import { NAME, type TlsEdge, TlsFixture, uwsTls } from './tls-fixture.js';
import { uws, uwsEdge } from './uws-edge-maker.js';

/** An edge that writes down which server names its library is given. */
function watched(): { readonly edge: TlsEdge; readonly names: string[] } {
  const names: string[] = [];
  const library: UwsLibrary = {
    ...uws,
    SSLApp: (files) => {
      const app = uws.SSLApp(files);
      const { addServerName } = app;
      app.addServerName = (name: string, certificate: UwsCertificate) => {
        names.push(name);
        return addServerName.call(app, name, certificate);
      };
      return app;
    },
  };
  const make: TlsEdge['make'] = (surroundings, certificates) => uwsEdge(surroundings, { certificates }, library);
  return { edge: { ...uwsTls, make }, names };
}

t.test('clients with many names below a wildcard cost one entry', async (t) => {
  const { edge, names } = watched();
  const fixture = await TlsFixture.open(t, edge, (files) =>
    files.issue('_.c.example', 'wildcard', ['DNS:*.c.example']),
  );
  for (let i = 0; i < 20; i++) t.equal(await fixture.shown(`n${i}.c.example`), 'wildcard');
  t.strictSame(names, ['*.c.example']);
});

t.test('names that differ by capital letters only are served up to a limit', async (t) => {
  const { edge, names } = watched();
  const fixture = await TlsFixture.open(t, edge);
  const long = 'abcdefgh.example';
  fixture.files.issue(long, 'long', [`DNS:${long}`]);
  const spelling = (n: number) =>
    [...long].map((letter, i) => ((n >> i) % 2 === 1 ? letter.toUpperCase() : letter)).join('');
  for (let n = 1; n <= 100; n++) t.equal(await fixture.shown(spelling(n)), 'long', spelling(n));
  await t.rejects(fixture.shown(spelling(101)), 'there is no default');
  t.equal(await fixture.shown(long), 'long', 'as clients write it');
  t.equal(await fixture.shown(NAME), NAME);
  t.equal(names.length, 102);
});
