/** What the items of the fan-out look like, for those who publish and those who check. */

/** Item number `n`, of exactly so many bytes, all ASCII. */
export function fanOutItem(n: number, bytes: number): string {
  return `${`item ${n} `.padEnd(bytes - 1, `${n % 10}`)}\n`;
}
