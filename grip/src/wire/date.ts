/** HTTP dates (RFC 9110 §5.6.7), in the three forms that a recipient must accept. */

const MONTH = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '(?<time>[0-9]{2}:[0-9]{2}:[0-9]{2})';

const forms = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>[0-9]{2}) ${MONTH} (?<year>[0-9]{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>[0-9]{2})-${MONTH}-(?<year>[0-9]{2}) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>[ 0-9][0-9]) ${TIME} (?<year>[0-9]{4})$`),
];

/** From this year of two digits on they mean the century before. */
const PIVOT = 70;

/**
 * Milliseconds since the Unix epoch; undefined for anything else, and for a day or time that does not exist. The name of the
 * weekday is not held against the date.
 */
export function parseHttpDate(text: string): number | undefined {
  for (const form of forms) {
    const groups = form.exec(text)?.groups as Record<'day' | 'month' | 'year' | 'time', string> | undefined;
    if (groups === undefined) continue;
    const { day, month, year, time } = groups;
    const full = year.length === 4 ? year : `${Number(year) < PIVOT ? 20 : 19}${year}`;
    const date = `${day.replace(' ', '0')} ${month} ${full} ${time} GMT`;
    const ms = Date.parse(date);
    // What does not exist is moved to the next day or month, or is none.
    return !Number.isNaN(ms) && new Date(ms).toUTCString().endsWith(`, ${date}`) ? ms : undefined;
  }
  return undefined;
}
