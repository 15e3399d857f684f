/** The spans of deliveries: one for each item and process that has subscribers, linked to the publish. */
import {
  ATTRIBUTE_CHARS,
  type ItemMessage,
  parseTraceparent,
  SAMPLED,
  type Span,
  type Tracing,
} from '@holdfast/control-api';

/**
 * Begins the span of a delivery, of an item whose publish is recorded; undefined for others. A link and no child: there may be a
 * thousand of them, and the publish does not wait for any.
 */
export type BeginDelivery = (message: ItemMessage) => Span | undefined;

/** Makes it; undefined where nothing is recorded. */
export function deliverySpans(tracing: Tracing | undefined): BeginDelivery | undefined {
  if (tracing?.records !== true) return undefined;
  return ({ headers, id, item }) => {
    const text = headers?.traceparent;
    const link = text === undefined ? undefined : parseTraceparent(text);
    if (link === undefined || (link.flags & SAMPLED) === 0) return undefined;
    const attributes = {
      'messaging.system': 'holdfast',
      'messaging.operation.name': 'deliver',
      'messaging.operation.type': 'process',
      'messaging.destination.name': item.channel.slice(0, ATTRIBUTE_CHARS),
      'messaging.message.id': id.slice(0, ATTRIBUTE_CHARS),
    };
    return tracing.start({ kind: 'consumer', name: 'deliver', link, attributes });
  };
}
