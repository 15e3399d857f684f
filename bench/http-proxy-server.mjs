// A reverse proxy of a few lines on the npm package http-proxy: node bench/http-proxy-server.mjs <port> <origin's port>.
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

const [port, originPort] = process.argv.slice(2).map(Number);
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${originPort}`,
  agent: new Agent({ keepAlive: true }),
});
proxy.on('error', (_error, _request, response) => response.destroy());
createServer((request, response) => proxy.web(request, response)).listen(port, '127.0.0.1');
