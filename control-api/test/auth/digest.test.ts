import t from 'tap';
import { ConnectionDigests, digestOf } from '../../dist/auth/digest.js';

t.test('the digest of a connection is that of the credential it shows, whatever it showed before', async (t) => {
  const digests = new ConnectionDigests();
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
    t.equal(digests.of(credential, one), digestOf(credential), credential);
    t.equal(digests.of('another', other), digestOf('another'), 'beside it');
    t.equal(digests.of(credential, undefined), digestOf(credential), 'without a connection');
  }
});
