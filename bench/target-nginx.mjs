// nginx as a target: with the Nchan module as one that holds, plain as one that passes requests on.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, start, waitForPorts } from './process.mjs';
import { makeFolder, RunningTarget } from './target.mjs';

const nginxFile = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync);
const nchanFile = ['/usr/lib/nginx/modules/ngx_nchan_module.so', '/usr/share/nginx/modules/ngx_nchan_module.so'].find(
  existsSync,
);

/** @param {string} folder @param {string} main @param {string} http */
function nginxConf(folder, main, http) {
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
${main}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/pid;
error_log ${folder}/error.log warn;
events { worker_connections 18000; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ${http}
}
`;
}

/**
 * @param {string} name
 * @param {(folder: string, port: number) => string} conf
 * @param {(kind: import('./target.mjs').Kind) => Record<string, string>} speech
 * @param {number} [client]  where its clients connect, if not on `port`
 */
async function startNginx(name, conf, speech, client) {
  const folder = makeFolder(name);
  const port = await freePort();
  mkdirSync(path.join(folder, 'body'), { recursive: true });
  writeFileSync(path.join(folder, 'nginx.conf'), conf(folder, port));
  const args = ['-p', folder, '-e', path.join(folder, 'error.log'), '-c', path.join(folder, 'nginx.conf')];
  const started = start(/** @type {string} */ (nginxFile), args);
  const running = new RunningTarget([started], { client: client ?? port, control: port }, speech, folder);
  try {
    await waitForPorts(started, [port]);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

/** @param {number} port @param {import('./target.mjs').Certificate} certificate */
const tlsListener = (port, { certFile, keyFile }) => `listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${certFile};
    ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.3;`;

/** @param {string} folder @param {number} port @param {string} listener  one more */
const nchanConf = (folder, port, listener) =>
  nginxConf(
    folder,
    `load_module ${nchanFile};`,
    `nchan_shared_memory_size 256M;
  nchan_message_buffer_length 100;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${listener}
    nchan_subscriber_first_message newest;
    location = /pub { nchan_publisher; nchan_channel_id bench; }
    location = /pub-to { nchan_publisher; nchan_channel_id $arg_ch; }
    location = /stream-of { nchan_subscriber http-chunked; nchan_channel_id $arg_ch; }
    location = /stream { nchan_subscriber http-chunked; nchan_channel_id bench; }
    location = /ws { nchan_subscriber websocket; nchan_channel_id bench; }
    location = /poll { nchan_subscriber longpoll; nchan_channel_id bench; }
  }`,
  );

/** @type {import('./target.mjs').Target} */
export const nchan = {
  name: 'nchan',
  title: 'Nchan in nginx',
  roles: ['hold'],
  asksOrigin: false,
  isGrip: false,
  missing: () => (nginxFile === undefined ? 'nginx' : nchanFile === undefined ? 'ngx_nchan_module.so' : undefined),
  servesTls: true,
  async start({ certificate }) {
    const client = certificate && (await freePort());
    const listener = client && certificate ? tlsListener(client, certificate) : '';
    const speech = (/** @type {import('./target.mjs').Kind} */ kind) => ({
      format: 'nchan',
      path: `/${kind}`,
      publish_path: '/pub',
      ...(kind === 'stream' && { header: 'TE: chunked' }),
    });
    return startNginx('nchan', (folder, port) => nchanConf(folder, port, listener), speech, client);
  },
};

/** @type {import('./target.mjs').Target} */
export const nginx = {
  name: 'nginx',
  title: 'nginx',
  roles: ['pass', 'echo'],
  asksOrigin: true,
  isGrip: false,
  missing: () => (nginxFile === undefined ? 'nginx' : undefined),
  start: ({ originPort }) =>
    startNginx(
      'nginx',
      (folder, port) =>
        nginxConf(
          folder,
          '',
          `upstream origin { server 127.0.0.1:${originPort}; keepalive 128; keepalive_requests 100000000; }
  client_body_buffer_size 256k;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /echo {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }
  }`,
        ),
      () => ({}),
    ),
};
