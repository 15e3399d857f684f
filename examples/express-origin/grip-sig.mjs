// Whether a request comes from the proxy: every request of its own has a Grip-Sig, signed with its sig_key. Whoever can
// reach the application past the proxy could write such a field too, so it has to be verified, with the same key:
// GRIP_URL=http://127.0.0.1:5561/?verify-key=… (a shared secret; `base64:…` and a public key in PEM work as well).
//
// serve-grip 2.0 does not do that: it calls the check, but does not wait for the outcome, and takes any Grip-Sig for a
// good one. Publisher.validateGripSig of the same authors does, so it is asked first.

/**
 * @param {import('@fanoutio/grip').Publisher} publisher
 * @param {string | undefined} signature  value of Grip-Sig
 * @returns {Promise<'none' | 'bad' | 'good' | 'unverified'>} `unverified`: there is no key to verify it with
 */
export async function checkGripSig(publisher, signature) {
  if (signature === undefined) return 'none';
  try {
    const { needsSigned, isSigned } = await publisher.validateGripSig(signature);
    if (!needsSigned) return 'unverified';
    return isSigned ? 'good' : 'bad';
  } catch {
    // No token at all, or of a kind that the key is not for.
    return 'bad';
  }
}

/**
 * Express middleware that refuses a request whose signature is not the proxy's. One without passes: serve-grip tells that
 * there is no proxy. Goes before serve-grip.
 *
 * @param {import('@fanoutio/serve-grip').ServeGrip} serveGrip
 * @returns {import('express').RequestHandler}
 */
export function refuseForged(serveGrip) {
  return async (req, res, next) => {
    const checked = await checkGripSig(serveGrip.getPublisher(), req.get('grip-sig'));
    if (checked === 'bad') res.status(403).type('text').send('Grip-Sig is not that of the proxy.\n');
    else next();
  };
}

/** Says at the start that nothing is verified. @param {string} gripUrl */
export function warnIfUnverified(gripUrl) {
  if (new URL(gripUrl).searchParams.has('verify-key')) return;
  console.warn(
    'GRIP_URL has no verify-key: every client that reaches this application directly can pass for the proxy',
  );
}
