/**
 * @holdfast/grip: the GRIP protocol as pure functions, bytes and JSON to values and back.
 *
 * This is the package's only door. Nothing behind it does I/O, sets a timer, reads a clock or logs.
 */
export { applyBodyPatch, MAX_PATCH_COPIES } from './body-patch.js';
export { type Channel, formatChannel, formatGripLast, parseChannels } from './channel.js';
export { type ContentFilter, ResponseFilter, responseFilter } from './content-filters.js';
export type { DeliveryFilter } from './delivery-filters.js';
export { GripError, type GripErrorCode, type GripErrorSide, gripErrors } from './errors.js';
export {
  type FilterName,
  type FilterTarget,
  filterNames,
  filterTargets,
  isKnownFilter,
  MAX_FILTERS,
  messageContentFilters,
} from './filter.js';
export {
  contentFilterMismatch,
  type FilterOutcome,
  type FilterPlan,
  type FilterStep,
  type HttpFilterName,
  noFilters,
  planFilters,
  runFilters,
} from './filter-plan.js';
export type { FilterScene } from './filter-scene.js';
export { MAX_EXPANSION, MAX_PARTIAL_DIRECTIVE } from './filter-template.js';
export type {
  HttpResponseFormat,
  HttpResponseSend,
  HttpStreamFormat,
  HttpStreamSend,
  WsMessageClose,
  WsMessageFormat,
  WsMessageSend,
} from './format.js';
export { hasControl, headerFault, isToken, MAX_REASON, reasonFault } from './header-field.js';
export { headerValue, headerValues, type RawHeaders, type ResponseHead } from './headers.js';
export { type Hold, type HoldMode, type Instruct, type InstructResponse, instructKind } from './instruct.js';
export { gripFields, parseInstructHeaders, unknownGripFields } from './instruct-headers.js';
export { parseInstructJson } from './instruct-json.js';
export type { UnknownMember } from './instruct-members.js';
export { type Formats, type Item, itemToJson, parseItem, parseItemList, parseItems } from './item.js';
export { ITEM_OVERHEAD, itemBytes } from './item-size.js';
export { isDeeper, type JsonRead, MAX_JSON_DEPTH, MAX_JSON_VALUES, NOT_JSON, readJson, readJsonBytes } from './json.js';
export { jsonFaultText } from './json-fault.js';
export type { KeepAlive, KeepAliveMode } from './keep-alive.js';
export { type GoneLink, type Links, type NextLink, parseLinks } from './link.js';
export { isLongName, MAX_NAME_BYTES } from './name.js';
export { decodePacket, encodePacket, type PacketFormat } from './packet.js';
export {
  type Element,
  formatElement,
  type Param,
  paramValue,
  parseElement,
  parseParams,
  splitElements,
} from './params.js';
export { MAX_PATCH_LENGTH, MAX_PATCH_OPERATIONS } from './patch-check.js';
export { isFinalStatus, isInterimStatus, reasonPhrase, sendableReason } from './reason.js';
export { MIN_RSA_BITS, parseSigKey, type SigKey, type SigKeyUse, signGripSig, verifyGripSig } from './sig.js';
export { decodeTnetstring, encodeTnetstring, MAX_TNET_DEPTH, MAX_TNET_VALUES, type TnetValue } from './tnetstring.js';
export { textFromWire, wireFromText } from './wire-text.js';
export type { Writable } from './writable.js';
export { acceptBytes, contentBytes, parseBytesAccepted, type WsAcceptance } from './ws-acceptance.js';
export {
  closeEvent,
  fitCloseReason,
  isSendableCloseCode,
  MAX_CLOSE_REASON,
  readClose,
  type WsClose,
} from './ws-close.js';
export {
  formatWsControl,
  parseWsControl,
  type WsControl,
  type WsControlInvalid,
  type WsKeepAlive,
  type WsSendDelayed,
  type WsSubscribe,
  type WsUnsubscribe,
} from './ws-control.js';
export { encodeWsEvents, MAX_WS_EVENTS, parseWsEvents, type WsEvent, type WsEventType } from './ws-events.js';
export { type GripExtension, parseGripExtension, withoutGrip } from './ws-extension.js';
export { MAX_CONTROL_PAYLOAD, type WsMessageType } from './ws-message.js';
export { type OriginMessage, readOriginMessage } from './ws-origin-message.js';
