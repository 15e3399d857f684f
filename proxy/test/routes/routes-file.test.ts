import fc from 'fast-check';
import t from 'tap';
import { RoutesError } from '../../dist/errors.js';
import {
  formatRouteLine,
  parseRouteLine,
  parseRouteLines,
  parseRoutesFile,
  type RouteLine,
  type RouteSection,
} from '../../dist/routes/routes-file.js';

function shape({ condition, targets }: RouteLine) {
  const section = ({ value, props }: RouteSection) => [value, ...props.map((prop) => [prop.name, prop.value])];
  return [condition, ...targets].map(section);
}

const good: readonly (readonly [text: string, sections: unknown])[] = [
  ['* 127.0.0.1:8000', [['*'], ['127.0.0.1:8000']]],
  ['  a.test   b:1  c:2  ', [['a.test'], ['b:1'], ['c:2']]],
  ['* b:1 # comment, "unterminated', [['*'], ['b:1']]],
  ['* b:1#comment', [['*'], ['b:1']]],
  [
    'a.test,debug,prefix=p- b:1,ssl',
    [
      ['a.test', ['debug', undefined], ['prefix', 'p-']],
      ['b:1', ['ssl', undefined]],
    ],
  ],
  ['id=r1 b:1', [['', ['id', 'r1']], ['b:1']]],
  ['id=r1,debug b:1', [['', ['id', 'r1'], ['debug', undefined]], ['b:1']]],
  [',id=r1 b:1', [['', ['id', 'r1']], ['b:1']]],
  ['*,replace_beg= b:1', [['*', ['replace_beg', '']], ['b:1']]],
  ['*,sig_key=base64:AA== b:1', [['*', ['sig_key', 'base64:AA==']], ['b:1']]],
  ['*,header="X-A: 1, 2 # 3" b:1', [['*', ['header', 'X-A: 1, 2 # 3']], ['b:1']]],
  ['*,header=X-"\\"q\\" \\\\"e b:1', [['*', ['header', 'X-"q" \\e']], ['b:1']]],
  ['a\\b b:1', [['a\\b'], ['b:1']]],
  ['a\tb b:1', [['a\tb'], ['b:1']]],
];
for (const [text, sections] of good)
  t.test(`reads ${JSON.stringify(text)}`, async (t) => {
    t.strictSame(shape(parseRouteLine(text, 1) as RouteLine), sections);
  });

const bad: readonly (readonly [text: string, reason: string, column: number])[] = [
  ['*,a="x\\', 'unterminated escape sequence', 8],
  ['*,a="\\n" b:1', 'unexpected escape character: n', 7],
  ['*,a="x b:1', 'unterminated quoted section', 5],
  ['*, b:1', 'expecting prop', 3],
  ['*,,a b:1', 'expecting prop', 3],
  ['*,=x b:1', 'empty prop name', 3],
  ['=x b:1', 'empty prop name', 1],
  ['*', 'must specify condition and at least one target', 0],
  ['* # b:1', 'must specify condition and at least one target', 0],
];
for (const [text, reason, column] of bad)
  t.test(`answers ${JSON.stringify(text)} with "${reason}"`, async (t) => {
    const error = parseRouteLines(['', text]).errors[0] as RoutesError;
    t.match(error, { code: 'ERR_CONFIG_ROUTE_LINE', side: 'internal', reason, line: 2, column });
    t.ok(error.message.startsWith('line 2'));
  });

t.test('a routes file: comments and blank lines are passed over, a bad line does not affect the others', async (t) => {
  const { lines, errors } = parseRoutesFile('\uFEFF# first\r\n\r\n* b:1\r\nnothing\r\na.test b:2\r\n');
  t.strictSame(
    lines.map(({ line, condition }) => [line, condition.value]),
    [
      [3, '*'],
      [5, 'a.test'],
    ],
  );
  t.strictSame(
    errors.map(({ line }) => line),
    [4],
  );
});

const text = fc.string({ unit: fc.constantFrom(...'ab:/.*\\"#, =\té[]'), maxLength: 8 });
const prop = fc.record({
  name: text.filter((name) => name !== '' && !name.includes('=')),
  value: fc.option(text, { nil: undefined }),
});
const section = fc.record({
  value: text.filter((value) => !value.includes('=')),
  props: fc.array(prop, { maxLength: 3 }),
});

t.test('property: a formatted line reads back as the same sections', async () => {
  fc.assert(
    fc.property(section, fc.array(section, { minLength: 1, maxLength: 3 }), (condition, targets) => {
      const place = ({ value, props }: typeof condition): RouteSection => ({
        value,
        props: props.map((one) => ({ ...one, column: 1 })),
        column: 1,
      });
      const line: RouteLine = { line: 1, condition: place(condition), targets: targets.map(place) };
      const back = parseRouteLine(formatRouteLine(line), 1);
      t.strictSame(shape(back as RouteLine), shape(line));
    }),
  );
});

t.test('property: any text gives lines and RoutesErrors, never another error', async () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        text,
        fc.array(text).map((all) => all.join('\n')),
      ),
      (any) => {
        const { lines, errors } = parseRoutesFile(any);
        return (
          errors.every((error) => error instanceof RoutesError) && lines.every(({ targets }) => targets.length > 0)
        );
      },
    ),
  );
});
