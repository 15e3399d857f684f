import t from 'tap';
import { AllowedOrigins, isOrigin } from '../../../dist/config/types/allowed-origins.js';

t.test('exact origins: scheme, host and port, in any case; the usual port is none', async (t) => {
  const origins = new AllowedOrigins([
    'https://A.example',
    'http://a.example:8080',
    'https://b.example:443',
    'app://x',
  ]);
  t.equal(origins.isAny, false);
  for (const origin of [
    'https://a.example',
    'HTTPS://a.EXAMPLE',
    'http://a.example:8080',
    'https://b.example',
    'app://x',
  ]) {
    t.ok(origins.allows(origin), origin);
  }
  const others = ['http://a.example', 'https://a.example:8443', 'https://xa.example', 'https://a.example.evil', 'null'];
  for (const origin of [...others, 'https://a.example/', 'https://a.example ', '', 'https://a.example\nx', '*']) {
    t.notOk(origins.allows(origin), origin);
  }
});

t.test('a star before a host stands for what is below it, not for the host', async (t) => {
  const origins = new AllowedOrigins(['https://*.a.example', 'http://*.b.example:81']);
  for (const origin of ['https://x.a.example', 'https://x.y.a.example', 'http://x.b.example:81']) {
    t.ok(origins.allows(origin), origin);
  }
  const others = ['https://a.example', 'https://.a.example', 'https://xa.example', 'http://x.a.example'];
  for (const origin of [
    ...others,
    'https://x.a.example:444',
    'http://x.b.example',
    'https://evil.example/.a.example',
  ]) {
    t.notOk(origins.allows(origin), origin);
  }
});

t.test('a star alone is every origin, but not null', async (t) => {
  const origins = new AllowedOrigins(['*', 'https://a.example']);
  t.ok(origins.isAny && AllowedOrigins.any.isAny);
  t.ok(origins.allows('http://x'));
  t.notOk(origins.allows('null'));
});

t.test('what is no origin is refused with its text', async (t) => {
  const wrong = [
    'null',
    'a.example',
    'https://',
    'https://a.example/',
    'https://*',
    'https://a.*.example',
    '',
    '*.a.example',
  ];
  for (const entry of [...wrong, 'https://u@a', 'https://a;b', 'https://a b', 'https://*.*.a', 'https://a:x']) {
    t.throws(() => new AllowedOrigins([entry]), {
      message: `${JSON.stringify(entry)} is no origin such as https://a.example or https://*.a.example`,
    });
  }
});

t.test('long texts are judged in no more than their length', async (t) => {
  for (const text of [`https://${'a.'.repeat(50_000)}/`, `${'a'.repeat(100_000)}:`, `https://${':1'.repeat(50_000)}`]) {
    t.notOk(isOrigin(text));
    t.throws(() => new AllowedOrigins([text]));
  }
});
