/** Properties that mean nothing: those of both lists are tried by e2e/operation/mistakes-config. */
import t from 'tap';
import { parseRoutesFile } from '../../dist/routes/routes-file.js';
import { PROP_WARNINGS_MAX, unknownProps } from '../../dist/routes/unknown-props.js';

const warningsOf = (text: string) => unknownProps(parseRoutesFile(text).lines);

t.test('each is named with its place and what may have been meant', async (t) => {
  t.strictSame(warningsOf('# routes\n*,deubg h:1,ssl,insecur i:2,over_htp\n'), [
    "line 2, column 3: property of a route unknown, ignored: 'deubg'; did you mean debug?",
    "line 2, column 17: property of a target unknown, ignored: 'insecur'; did you mean insecure?",
    "line 2, column 29: property of a target unknown, ignored: 'over_htp'; did you mean over_http?",
  ]);
});

t.test('one that is there for the other side is no misspelling', async (t) => {
  t.strictSame(warningsOf('* h:1,path_beg=/a'), [
    "line 1, column 7: property 'path_beg' ignored: it is one of a route, and stands with a target",
  ]);
});

t.test('beyond PROP_WARNINGS_MAX nothing more is said', async (t) => {
  const warnings = warningsOf('*,x h:1,y\n'.repeat(PROP_WARNINGS_MAX));
  t.equal(warnings.length, PROP_WARNINGS_MAX + 1);
  t.match(warnings.at(-1), /of the rest nothing is said$/);
});
