/**
 * Loading a configuration in a directory of its own, for the tests of the loader.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { type LoadedConfig, loadConfig } from '../../dist/app/load-config.js';
import { ConfigError } from '../../dist/errors.js';

export interface Setup {
  readonly files?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly search?: readonly string[];
}

/** Loads in a fresh directory that holds `files`. */
export function load(t: Test, { files = {}, argv = [], env = {}, search = [] }: Setup): LoadedConfig & { dir: string } {
  const dir = t.testdir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  const result = loadConfig({ argv, env, cwd: dir, version: '0', search });
  if (!('config' in result)) throw new Error(`got ${result.command}`);
  return { ...result, dir };
}

export function failure(t: Test, setup: Setup): ConfigError {
  try {
    load(t, setup);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('was loaded');
}

/** A Holdfast YAML file, named on the command line. */
export const yaml = (text: string): Setup => ({ files: { 'c.yaml': text }, argv: ['--config', 'c.yaml'] });
export const conf = (text: string): Setup => ({ files: { 'etc/p.conf': text }, argv: ['--config', 'etc/p.conf'] });

/** The keys of the file that Debian's package installs, with its values. */
export const shipped = `
[global]
include={libdir}/internal.conf
libdir=lib
rundir=/var/run/pushpin
ipc_prefix=pushpin-
port_offset=0
stats_connection_ttl=120
stats_connection_send=true

[runner]
services=connmgr,proxy,handler
http_port=7999
#https_ports=443
#local_ports={rundir}/{ipc_prefix}server
logdir=/var/log/pushpin
log_level=2
client_buffer_size=8192
client_maxconn=50000
allow_compression=false

[proxy]
routesfile=routes
debug=false
auto_cross_origin=false
accept_x_forwarded_protocol=false
set_x_forwarded_protocol=proto-only
x_forwarded_for=
x_forwarded_for_trusted=
orig_headers_need_mark=
accept_pushpin_route=false
cdn_loop=
log_from=false
log_user_agent=false
sig_iss=pushpin
sig_key=changeme
upstream_key=
sockjs_url=http://cdn.jsdelivr.net/sockjs/0.3.4/sockjs.min.js
max_open_requests=-1

[handler]
ipc_file_mode=777
push_in_spec=tcp://127.0.0.1:5560
push_in_sub_specs=tcp://127.0.0.1:5562
push_in_sub_connect=false
push_in_http_addr=127.0.0.1
push_in_http_port=5561
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
stats_spec=ipc://{rundir}/{ipc_prefix}stats
command_spec=tcp://127.0.0.1:5563
message_rate=2500
message_hwm=25000
message_wait=5000
id_cache_ttl=60
update_on_first_subscription=true
connection_subscription_max=20
subscription_linger=60
stats_subscription_ttl=60
stats_report_interval=10
stats_format=tnetstring
`;
