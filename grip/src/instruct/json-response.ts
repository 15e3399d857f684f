/** `code`, `reason` and `headers` of an HTTP response in JSON, for the JSON instruct and the format http-response. */
import { type Fields, isJsonObject, mistyped, textOf } from '../wire/fields.js';
import { headerFault, MAX_FINAL_STATUS, MIN_FINAL_STATUS, type RawHeaders, reasonFault } from '../wire/head.js';
import { textFromWire, wireFromText } from '../wire/text.js';

/**
 * `code`: an integer, or a string that holds one, from 200 to 999. Pushpin takes 0 to 199 and sends them, which no
 * client can read as a final response; here they are refused.
 */
export function codeField(fields: Fields): number | undefined {
  const raw = fields.value('code');
  if (typeof raw === 'number' && !Number.isInteger(raw))
    throw fields.error(`${fields.name} contains 'code' with wrong type: expected a whole number, got ${raw}`);
  return fields.integer('code', MAX_FINAL_STATUS, MIN_FINAL_STATUS);
}

/** `reason` as a Latin-1 string of its UTF-8 bytes, or undefined if absent or empty. Throws for what cannot be sent. */
export function reasonField(fields: Fields): string | undefined {
  const reason = fields.string('reason');
  if (!reason) return undefined;
  const wire = wireFromText(reason);
  const fault = reasonFault(wire);
  if (fault !== undefined) throw fields.error(`${fields.name} contains 'reason' with ${fault}`);
  return wire;
}

/**
 * `headers`: an object, or a list of [name, value] pairs, which keeps order and duplicates. Values become Latin-1
 * strings of their UTF-8 bytes. Throws for what cannot be sent: a name that is no token, a control character.
 */
export function headersField(fields: Fields): RawHeaders {
  if (!fields.has('headers')) return [];
  const value = fields.value('headers');
  if (Array.isArray(value)) return value.flatMap((pair: unknown) => headerOfPair(fields, pair));
  if (!isJsonObject(value)) throw fields.wrongType('headers', 'an object or a list of pairs');
  return Object.entries(value).flatMap(([name, member]) => {
    const text = textOf(member);
    if (text === undefined) throw fields.error(`headers contains '${name}' ${mistyped('a string', member)}`);
    return checkedHeader(fields, name, text);
  });
}

/** The pairs of {@link headersField}, which gives equal headers for them. */
export function headerPairs(headers: RawHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2)
    pairs.push([headers[i] as string, textFromWire(headers[i + 1] as string)]);
  return pairs;
}

function headerOfPair(fields: Fields, pair: unknown): [string, string] {
  if (!Array.isArray(pair))
    throw fields.error(`headers contains element ${mistyped('a list of name and value', pair)}`);
  if (pair.length !== 2) {
    throw fields.error(`headers contains list with wrong number of elements: expected 2, got ${pair.length}`);
  }
  const name = textOf(pair[0]);
  if (name === undefined) throw fields.error(`header contains name element ${mistyped('a string', pair[0])}`);
  const value = textOf(pair[1]);
  if (value === undefined) throw fields.error(`header contains value element ${mistyped('a string', pair[1])}`);
  return checkedHeader(fields, name, value);
}

function checkedHeader(fields: Fields, name: string, value: string): [string, string] {
  const wire = wireFromText(value);
  const fault = headerFault(name, wire);
  if (fault !== undefined) throw fields.error(fault);
  return [name, wire];
}
