import t from 'tap';
import { takeResumeRequest } from '../../dist/sessions/resume-request.js';

t.test('the parameter is taken out of the query, and nothing else', async (t) => {
  for (const [path, expected, token] of [
    ['/?holdfast-resume', '/', ''],
    ['/?holdfast-resume=', '/', ''],
    ['/?holdfast-resume=abc', '/', 'abc'],
    ['/a/b?x=1&holdfast-resume=abc&y=%20+', '/a/b?x=1&y=%20+', 'abc'],
    ['/?holdfast-resume=a&holdfast-resume=b&', '/?', 'b'],
  ] as const) {
    t.strictSame(takeResumeRequest(path), { path: expected, token }, path);
  }
});

t.test('a path without it is left alone', async (t) => {
  for (const path of [
    '/',
    '/?',
    '/?x=holdfast-resume',
    '/?holdfast-resumed=1',
    '/holdfast-resume',
    '/?xholdfast-resume',
  ]) {
    t.equal(takeResumeRequest(path), undefined, path);
  }
});
