/** What one node asks all others about connections and their users: pages of lists, and orders that they carry out. */

/** The Close frame that the client of a session gets. */
export interface CloseOrder {
  /** One that may be sent, see `isSendableCloseCode`. */
  readonly code: number;
  /** At most 123 bytes of UTF-8; may be empty. */
  readonly reason: string;
}

/** Which part of a list is wanted. */
export interface PageOrder {
  /** The last key that was shown; left out, the list begins. Keys are ordered by their UTF-16 code units. */
  readonly after?: string;
  /** Rows, at least 1. */
  readonly limit: number;
}

/** Which connections are meant; what is left out does not matter. */
export interface ConnectionFilter {
  /** The meta `user` that their origin has set. */
  readonly user?: string;
  /** Full name. */
  readonly channel?: string;
  /** Explicit id. */
  readonly route?: string;
}

/** Whom an item is for. */
export type Recipient = { readonly id: string } | { readonly user: string };

/** Questions about connections, as JSON. Nodes that do not know them yet do not answer, and are silent. */
export type ConnectionQuestion =
  /** A `Page` of `ConnectionView`, by their ids. */
  | ({ readonly about: 'connections' } & ConnectionFilter & PageOrder)
  /** A `Page` of channels with subscribers, by their names: `ChannelRow`. */
  | ({ readonly about: 'channels'; readonly prefix: string } & PageOrder)
  /** Ends the connections of a user, but for those with these ids: an `OrderResult`. */
  | {
      readonly about: 'disconnect-user';
      readonly user: string;
      readonly except: readonly string[];
      readonly close?: CloseOrder;
    }
  /** Gives an item, as JSON whose channel is empty, to connections: an `OrderResult`. */
  | { readonly about: 'deliver'; readonly to: Recipient; readonly item: object }
  /** Puts a connection on channels, by their full names, or takes it off them: a `SubscribeResult`. */
  | {
      readonly about: 'subscribe';
      readonly id: string;
      readonly channels: readonly string[];
      readonly isOn: boolean;
    };
