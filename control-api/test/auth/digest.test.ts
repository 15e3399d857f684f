import t from 'tap';
import { digestOf, ShownCredentials } from '../../dist/auth/digest.js';

t.test('the digest of a connection is that of the credential it shows, whatever it showed before', async (t) => {
  const shown = new ShownCredentials<never>();
  const one = {};
  const other = {};
  for (const credential of [
    'a-key-of-20-letters!',
    'a-key-of-20-letters!',
    'A-key-of-20-letters!',
    'a-key-of-20-letters?',
    '',
    'a',
  ]) {
    t.equal(shown.of(credential, one).digest, digestOf(credential), credential);
    t.equal(shown.of('another', other).digest, digestOf('another'), 'beside it');
    t.equal(shown.of(credential, undefined).digest, digestOf(credential), 'without a connection');
  }
});
