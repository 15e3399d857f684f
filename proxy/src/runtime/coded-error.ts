/** The base of all errors of this package: a stable code, and the side that has to act. */
import type { ErrorSide } from '@holdfast/control-api';

/** Code → who has to act, and what it means to the reader of a log line: for docs/errors.md. */
export type ErrorTable = Readonly<Record<string, { readonly side: ErrorSide; readonly meaning: string }>>;

/** An error with a code of its table. `name` is the class's. */
export abstract class CodedError<Table extends ErrorTable> extends Error {
  readonly code: keyof Table & string;
  readonly side: Table[keyof Table]['side'];

  constructor(name: string, table: Table, code: keyof Table & string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.code = code;
    this.side = (table[code] as Table[keyof Table]).side;
  }
}
