/**
 * @holdfast/grip: the GRIP protocol as pure functions, bytes and JSON to values and back. Nothing in it does I/O, sets a timer,
 * reads a clock or logs. This is its only entry point.
 */

export { formatGripLast } from './channel.js';
export { GripError, type GripErrorCode, type GripErrorSide, gripErrors } from './errors.js';
export { ResponseFilter, responseFilter } from './filters/content-filters.js';
export { type FilterContext, filterNames, isKnownFilter, MAX_FILTERS } from './filters/filter.js';
export { contentFilterMismatch, type FilterPlan, noFilters, planFilters, runFilters } from './filters/plan.js';
export { headerFault, isToken, MAX_REASON, reasonFault } from './headers/header-field.js';
export { headerValue, headerValues, type RawHeaders, type ResponseHead } from './headers/headers.js';
export { isFinalStatus, isInterimStatus, reasonPhrase, sendableReason } from './headers/reason.js';
export { gripFields, parseInstructHeaders, unknownGripFields } from './instruct/headers.js';
export { type HoldMode, type Instruct, type InstructResponse, instructKind } from './instruct/instruct.js';
export { parseInstructJson } from './instruct/json.js';
export type { KeepAlive } from './instruct/keep-alive.js';
export type { GoneLink, NextLink } from './instruct/link.js';
export type { UnknownMember } from './instruct/members.js';
export { applyBodyPatch } from './item/body-patch.js';
export {
  contentOf,
  type FormatFor,
  type FormatName,
  type Formats,
  formatKeys,
  formatNames,
  kindRows,
  listFormats,
  type SubscriberKind,
  subscriberKinds,
  withContent,
  zeroCounts,
} from './item/formats.js';
export type { HttpResponseFormat, HttpResponseSend } from './item/http-response.js';
export type { HttpStreamFormat } from './item/http-stream.js';
export { ITEM_OVERHEAD, type Item, itemBytes, itemToJson, parseItem, parseItemList, parseItems } from './item/item.js';
export { decodePacket, encodePacket, type PacketFormat } from './item/packet.js';
export type { WsMessageFormat, WsMessageSend } from './item/ws-message.js';
export { isKeyError, type JwtClaims, type JwtKey, type JwtRead, peekJwt, readJwk, readJwtKey } from './jwt.js';
export { isLongName, MAX_NAME_BYTES } from './name.js';
export { parseSigKey, type SigKey, type SigKeyUse, signGripSig, verifyGripSig } from './sig.js';
export { MAX_JSON_DEPTH, readJson, readJsonBytes } from './wire/json.js';
export { textFromWire, wireFromText } from './wire/text.js';
export { decodeTnetstring, encodeTnetstring } from './wire/tnetstring.js';
export type { Writable } from './wire/writable.js';
export { acceptBytes, contentBytes, parseBytesAccepted } from './ws/acceptance.js';
export { closeEvent, fitCloseReason, isSendableCloseCode, readClose } from './ws/close.js';
export {
  formatWsControl,
  parseWsControl,
  type WsControl,
  type WsControlInvalid,
  type WsKeepAlive,
  type WsSendDelayed,
} from './ws/control.js';
export { encodeWsEvents, MAX_WS_EVENTS, parseWsEvents, type WsEvent } from './ws/events.js';
export { parseGripExtension, readOriginMessage } from './ws/grip-mode.js';
export { MAX_CONTROL_PAYLOAD, type WsMessageType } from './ws/message.js';
