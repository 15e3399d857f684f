/**
 * @holdfast/grip: the GRIP protocol as pure functions, bytes and JSON to values and back.
 *
 * This is the package's only door. Nothing behind it does I/O, sets a timer, reads a clock or logs.
 */

export { type Channel, formatChannel, formatGripLast, parseChannels } from './channel.js';
export { GripError, type GripErrorCode, type GripErrorSide, gripErrors } from './errors.js';
export { type ContentFilter, ResponseFilter, responseFilter } from './filters/content-filters.js';
export type { FilterScene } from './filters/context.js';
export type { DeliveryFilter } from './filters/delivery-filters.js';
export {
  type FilterName,
  type FilterTarget,
  filterNames,
  filterTargets,
  isKnownFilter,
  MAX_FILTERS,
  messageContentFilters,
} from './filters/filter.js';
export {
  contentFilterMismatch,
  type FilterOutcome,
  type FilterPlan,
  type FilterStep,
  type HttpFilterName,
  noFilters,
  planFilters,
  runFilters,
} from './filters/plan.js';
export { MAX_EXPANSION, MAX_PARTIAL_DIRECTIVE } from './filters/template.js';
export { hasControl, headerFault, isToken, MAX_REASON, reasonFault } from './headers/header-field.js';
export { headerValue, headerValues, type RawHeaders, type ResponseHead } from './headers/headers.js';
export {
  type Element,
  formatElement,
  type Param,
  paramValue,
  parseElement,
  parseParams,
  splitElements,
} from './headers/params.js';
export { isFinalStatus, isInterimStatus, reasonPhrase, sendableReason } from './headers/reason.js';
export { gripFields, parseInstructHeaders, unknownGripFields } from './instruct/headers.js';
export { type Hold, type HoldMode, type Instruct, type InstructResponse, instructKind } from './instruct/instruct.js';
export { parseInstructJson } from './instruct/json.js';
export type { KeepAlive, KeepAliveMode } from './instruct/keep-alive.js';
export { type GoneLink, type Links, type NextLink, parseLinks } from './instruct/link.js';
export type { UnknownMember } from './instruct/members.js';
export { applyBodyPatch, MAX_PATCH_COPIES } from './item/body-patch.js';
export {
  contentOf,
  type FormatFor,
  type FormatKey,
  type FormatName,
  type Formats,
  formatKeys,
  formatNames,
  formatRows,
  kindRows,
  listFormats,
  type SubscriberKind,
  subscriberKinds,
  withContent,
  zeroCounts,
} from './item/formats.js';
export type { HttpResponseFormat, HttpResponseSend } from './item/http-response.js';
export type { HttpStreamFormat, HttpStreamSend } from './item/http-stream.js';
export { type Item, itemToJson, parseItem, parseItemList, parseItems } from './item/item.js';
export { decodePacket, encodePacket, type PacketFormat } from './item/packet.js';
export { MAX_PATCH_LENGTH, MAX_PATCH_OPERATIONS } from './item/patch-check.js';
export { ITEM_OVERHEAD, itemBytes } from './item/size.js';
export type { WsMessageClose, WsMessageFormat, WsMessageSend } from './item/ws-message.js';
export { isLongName, MAX_NAME_BYTES } from './name.js';
export { MIN_RSA_BITS, parseSigKey, type SigKey, type SigKeyUse, signGripSig, verifyGripSig } from './sig.js';
export {
  isDeeper,
  type JsonRead,
  MAX_JSON_DEPTH,
  MAX_JSON_VALUES,
  NOT_JSON,
  readJson,
  readJsonBytes,
} from './wire/json.js';
export { jsonFaultText } from './wire/json-fault.js';
export { textFromWire, wireFromText } from './wire/text.js';
export {
  decodeTnetstring,
  encodeTnetstring,
  MAX_TNET_DEPTH,
  MAX_TNET_VALUES,
  type TnetValue,
} from './wire/tnetstring.js';
export type { Writable } from './wire/writable.js';
export { acceptBytes, contentBytes, parseBytesAccepted, type WsAcceptance } from './ws/acceptance.js';
export {
  closeEvent,
  fitCloseReason,
  isSendableCloseCode,
  MAX_CLOSE_REASON,
  readClose,
  type WsClose,
} from './ws/close.js';
export {
  formatWsControl,
  parseWsControl,
  type WsControl,
  type WsControlInvalid,
  type WsKeepAlive,
  type WsSendDelayed,
  type WsSubscribe,
  type WsUnsubscribe,
} from './ws/control.js';
export { encodeWsEvents, MAX_WS_EVENTS, parseWsEvents, type WsEvent, type WsEventType } from './ws/events.js';
export { type GripExtension, parseGripExtension, withoutGrip } from './ws/extension.js';
export { MAX_CONTROL_PAYLOAD, type WsMessageType } from './ws/message.js';
export { type OriginMessage, readOriginMessage } from './ws/origin-message.js';
