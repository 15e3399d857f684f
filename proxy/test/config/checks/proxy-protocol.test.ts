/** Where listeners may have load balancers that speak the PROXY protocol. */
import t from 'tap';
import { failure, load, yaml } from '../fixture.js';

const LISTEN = '127.0.0.1:8000?proxy_protocol=v2&from=10.0.0.0/8';

t.test('on every client listener of the node edge, and it stays there when ports are moved', async (t) => {
  const { config } = load(t, yaml(`http_port: ["${LISTEN}"]\nport_offset: 5\n`));
  t.match(config.httpPort, [{ port: 8005, proxyProtocol: { versions: [2], from: ['10.0.0.0/8'] } }]);
});

t.test('not with edge: uws, whose library reads a header from anybody', async (t) => {
  for (const listener of [
    `http_port: ["${LISTEN}"]`,
    `https_ports: ["${LISTEN}"]`,
    'local_ports: ["/a?proxy_protocol=v1"]',
  ]) {
    t.match(failure(t, yaml(`edge: uws\n${listener}\n`)), {
      code: 'ERR_CONFIG_CONFLICT',
      message: /proxy_protocol needs edge: node/,
    });
  }
});

t.test('not on the admin listener', async (t) => {
  t.match(failure(t, yaml(`admin_port: ["${LISTEN}"]\n`)), {
    code: 'ERR_CONFIG_CONFLICT',
    message: /client listeners/,
  });
});
