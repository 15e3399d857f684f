// Names places in sources where a text names those in what was built of them. Test files run without --enable-source-maps, which
// reads the map of each of some 500 modules: an eighth of the CPU of a file.
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { root } from './setup.mjs';

/** A compiled file, from the root or as a whole path or URL, with line and column. */
const PLACE = /(?:file:\/\/)?((?:[\w.@-]*\/)*dist(?:-test)?\/[\w./-]+\.js):(\d+):(\d+)/g;

/** @param {string} file  compiled @returns {SourceMap | undefined} */
function mapOf(file) {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}

/**
 * The text with all places that a map knows; others stay.
 *
 * @param {string} text  such as a stack
 */
export function withSourcePlaces(text) {
  return text.replace(PLACE, (whole, /** @type {string} */ file, line, column) => {
    const compiled = path.resolve(root, file);
    const entry = mapOf(compiled)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return whole;
    const source = path.relative(root, path.resolve(path.dirname(compiled), entry.originalSource));
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
