/** What the items of the fan-out look like and how its opening is told, for those who publish and those who check. */

/** After so many more streams have opened, a process of clients says so. */
export const OPEN_STEP = 500;

/** Item number `n`, of exactly so many bytes, all ASCII. */
export function fanOutItem(n: number, bytes: number): string {
  return `${`item ${n} `.padEnd(bytes - 1, `${n % 10}`)}\n`;
}
