/** The entry point of @holdfast/grip: the GRIP protocol as pure functions, without I/O, timers, clock and log. */

export { type Channel, channelNameFault, formatGripLast, isLongName, MAX_NAME_BYTES } from './channel.js';
export { CodedError, type ErrorSide, type ErrorTable, GripError, type GripErrorCode, gripErrors } from './errors.js';
export { ResponseFilter, responseFilter } from './filters/content-filters.js';
export { type FilterContext, filterNames, isKnownFilter, MAX_FILTERS } from './filters/filter.js';
export { contentFilterMismatch, type FilterPlan, noFilters, planFilters, runFilters } from './filters/plan.js';
export type { CallbackInstruct, CallbackStart } from './instruct/callback.js';
export type { Expires } from './instruct/expires.js';
export { gripFields, parseInstructHeaders, unknownGripFields } from './instruct/headers.js';
export {
  type HoldMode,
  type Instruct,
  type InstructResponse,
  instructKind,
  type UnknownMember,
} from './instruct/instruct.js';
export { parseInstructJson } from './instruct/json.js';
export type { KeepAlive } from './instruct/keep-alive.js';
export type { GoneLink, NextLink } from './instruct/link.js';
export { applyBodyPatch } from './item/body-patch.js';
export {
  contentOf,
  type FormatFor,
  type FormatName,
  type Formats,
  formatKeys,
  formatNames,
  formatRows,
  kindRows,
  listFormats,
  ownContent,
  type SubscriberKind,
  subscriberKinds,
  zeroCounts,
} from './item/formats.js';
export type { HttpRequestFormat, HttpRequestSend } from './item/http-request.js';
export type { HttpResponseFormat, HttpResponseSend } from './item/http-response.js';
export type { HttpStreamFormat } from './item/http-stream.js';
export {
  ITEM_OVERHEAD,
  type Item,
  itemBytes,
  itemToJson,
  parseItem,
  parseItemList,
  parseItems,
  parsePublished,
} from './item/item.js';
export { MAX_ITEM_CHANNELS, MAX_NAMED_CHANNELS } from './item/item-channels.js';
export { ItemWarnings, itemMembers, MAX_ITEM_WARNINGS, MAX_WARNINGS } from './item/warnings.js';
export type { WsMessageFormat, WsMessageSend } from './item/ws-message.js';
export type { XmppStanzaFormat } from './item/xmpp-stanza.js';
export { isKeyError, type JwtClaims, type JwtKey, type JwtRead, peekJwt, readJwk, readJwtKey } from './jwt.js';
export { MAX_PATTERN_STARS, matchesPattern, type Pattern, type PatternSegment, parsePattern } from './pattern.js';
export {
  formatPosition,
  type Initial,
  MAX_INITIAL_ITEMS,
  type PositionText,
  parseInitial,
  parsePosition,
} from './position.js';
export { parseSigKey, type SigKey, type SigKeyUse, signGripSig, verifyGripSig } from './sig.js';
export type { Writable } from './wire/fields.js';
export {
  headerFault,
  headerValue,
  headerValues,
  isFinalStatus,
  isInterimStatus,
  isToken,
  MAX_REASON,
  type RawHeaders,
  type ResponseHead,
  reasonFault,
  reasonPhrase,
  sendableReason,
} from './wire/head.js';
export { MAX_JSON_DEPTH, readJson, readJsonBytes } from './wire/json.js';
export {
  escapeXml,
  formatStanza,
  MAX_STANZA_BYTES,
  MAX_STANZA_DEPTH,
  parseStanza,
  parseStanzas,
  type Stanza,
} from './wire/stanza.js';
export { textFromWire, wireFromText } from './wire/text.js';
export {
  decodePacket,
  decodeTnetstring,
  encodePacket,
  encodeTnetstring,
  type PacketFormat,
} from './wire/tnetstring.js';
export {
  acceptBytes,
  closeEvent,
  contentBytes,
  encodeWsEvents,
  fitCloseReason,
  isSendableCloseCode,
  MAX_WS_EVENTS,
  parseBytesAccepted,
  parseWsEvents,
  readClose,
  type WsEvent,
} from './ws/events.js';
export {
  formatWsControl,
  parseGripExtension,
  parseWsControl,
  readOriginMessage,
  type WsControl,
  type WsControlInvalid,
  type WsKeepAlive,
  type WsSendDelayed,
  type WsSubscribe,
} from './ws/grip-mode.js';
export { MAX_CONTROL_PAYLOAD, type WsMessageType } from './ws/message.js';
