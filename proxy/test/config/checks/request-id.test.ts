/** Which names `request_id_header` may have. */
import t from 'tap';
import { failure, load, yaml } from '../fixture.js';

const taken = ['Host', 'Grip-Sig', 'set_cookie', 'Content-Length', 'traceparent', 'X-Forwarded-For', 'Accept', 'Proxy'];
for (const name of taken) {
  t.test(`${name} means something else`, async (t) => {
    const error = failure(t, yaml(`request_id_header: ${name}\n`));
    t.match(error.message, /request_id_header: this field means something else/);
  });
}

t.test('a name has to be one of a header field', async (t) => {
  for (const name of ['X Y', 'X:Y', '"é"']) {
    t.match(failure(t, yaml(`request_id_header: ${name}\n`)).message, /the name of a header field/, name);
  }
});

t.test('an empty name is none', async (t) => {
  t.equal(load(t, yaml('request_id_header: ""\n')).config.requestIdHeader, undefined);
});

t.test('without a name there is nothing to send to the client', async (t) => {
  t.match(failure(t, yaml('request_id_response: true\n')).message, /set request_id_header/);
  const { config } = load(t, yaml('request_id_header: X-Request-Id\nrequest_id_response: true\n'));
  t.match(config, { requestIdHeader: 'X-Request-Id', requestIdResponse: true });
});
