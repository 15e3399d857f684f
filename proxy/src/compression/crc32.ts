/**
 * Joins the checksums of parts into that of the whole (CRC-32 of RFC 1952 §8); node computes those of the parts.
 *
 * A checksum is a polynomial over GF(2), modulo that of CRC-32, its bits reversed; so many zero bytes behind it multiply it
 * by a power of x, which depends on their number alone. That is how zlib's crc32_combine does it.
 */

const POLYNOMIAL = 0xedb88320;

/** x^0, bits reversed. */
const ONE = 1 << 31;

/** x^(2^n) for each n. */
const POWERS: readonly number[] = powers();

function powers(): number[] {
  const table = [1 << 30];
  for (let n = 1; n < 32; n++) table.push(product(table[n - 1] as number, table[n - 1] as number));
  return table;
}

/** The product of two polynomials; `a` must not be 0. */
function product(a: number, b: number): number {
  let bit = ONE;
  let rest = b;
  for (let sum = 0; ; ) {
    if ((a & bit) !== 0) {
      sum ^= rest;
      if ((a & (bit - 1)) === 0) return sum;
    }
    bit >>>= 1;
    rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
  }
}

/** The factor of a checksum when this many bytes follow, below 2^31. Computed once per length. */
export function shiftOf(bytes: number): number {
  let shift = ONE;
  // x^(8 * bytes): from the third power of two on.
  for (let n = bytes, k = 3; n > 0; n >>>= 1, k++) {
    if ((n & 1) === 1) shift = product(POWERS[k & 31] as number, shift);
  }
  return shift;
}

/** The checksum, as a signed integer, of bytes with `crc` followed by bytes with `next`, for whose number `shift` was made. */
export function joinedCrc(crc: number, next: number, shift: number): number {
  return product(shift, crc) ^ next;
}
