/** The option `xmpp_component`: a domain, and where the XMPP server takes components. */

/** Where servers take components, unless configured otherwise. */
const PORT = 5347;

/** `domain@host:port`; the port, or both, may be left out. An IPv6 address is in brackets. */
export const componentForm = /^([^\s@/:]+)(?:@([^\s@/:[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?)?$/;

/** A component of an XMPP server. */
export interface ComponentPlace {
  /** In lower case. */
  readonly domain: string;
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads the option; undefined for what has another form, or a port that there is not. */
export function componentOf(text: string): ComponentPlace | undefined {
  const [, domain, host = '127.0.0.1', digits = String(PORT)] = componentForm.exec(text) ?? [];
  const port = Number(digits);
  if (domain === undefined || port < 1 || port > 65_535) return undefined;
  return { domain: domain.toLowerCase(), host: host.replace(/^\[(.*)\]$/, '$1'), port };
}
