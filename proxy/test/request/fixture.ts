/** A node of the product's own composition that relays: what tests of requests start from. */
import type { Test } from 'tap';
import { type App, type AppOptions, startApp } from '../kit/app.js';

/** Bodies that tests can exceed, and fields that go to origins as they came. */
const SETTINGS = {
  request_body_max: 100_000,
  instruct_body_max: 100_000,
  set_x_forwarded_protocol: false,
  x_forwarded_for: '',
  x_forwarded_for_trusted: '',
};

/** Starts one with these routes; it stops with the test. */
export function startRelay(t: Test, routes: readonly string[], settings: AppOptions['settings'] = {}): Promise<App> {
  return startApp(t, { routes, settings: { ...SETTINGS, ...settings } });
}
