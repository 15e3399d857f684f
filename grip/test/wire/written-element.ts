/** Header elements as origins write them: what the parsers are tried on. */
import type { Element, Param } from '../../dist/wire/params.js';

/**
 * An element that `splitElements` and `parseElement` read back unchanged; parameter values that need it are quoted. Its value has
 * no `;`, `,`, `"` or space around it.
 */
export function written({ value, params }: Element): string {
  return value + params.map(writtenParam).join('');
}

function writtenParam([name, value]: Param): string {
  return `; ${name}=${/^[0-9A-Za-z-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`}`;
}
