/** Options about XMPP clients. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';
import { componentForm } from '../types/xmpp-component.js';

const group = 'Clients';

export const xmppOptions = [
  {
    key: 'xmpp_component',
    group,
    type: 'string',
    pattern: { form: componentForm, doc: 'domain@host:port, such as push.example.com@127.0.0.1:5347' },
    doc: 'Join an XMPP server as the component of this domain, such as `push.example.com@127.0.0.1:5347`; without a host `127.0.0.1`, without a port 5347. Stanzas for the domain are asked of the origins of routes with `xmpp=<domain>`; see [xmpp.md](xmpp.md). Needs the package `@xmpp/component`, and `xmpp_secret`.',
  },
  {
    key: 'xmpp_secret',
    group,
    type: 'secret',
    doc: 'The secret that the XMPP server has for the component.',
  },
  /**
   * @limit {} XMPP clients with a subscription, or with meta
   * @over the origin’s answer has no effect: its client gets the error `resource-constraint`; counted
   */
  {
    key: 'xmpp_subscribers_max',
    group,
    type: 'limit',
    unit: 'clients',
    default: 10_000,
    min: -1,
    doc: 'XMPP clients that may be subscribed at a time; 0 or -1 sets no limit.',
  },
] as const satisfies readonly Option[];
