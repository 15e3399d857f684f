/** Splits a Sec-WebSocket-Extensions field into its extensions. */

/** One element of the list (RFC 6455 §9.1): a comma inside quotes does not end it. */
const ELEMENT = /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g;

/** The extensions of this name, each as it is written, from all values of the field; `name` is in lower case. */
export function extensionsNamed(values: readonly string[], name: string): string[] {
  const elements = values.flatMap((value) => value.match(ELEMENT) ?? []).map((element) => element.trim());
  return elements.filter((element) => element.split(';', 1)[0]?.trim().toLowerCase() === name);
}
