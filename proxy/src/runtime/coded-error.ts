/** The base of all errors of this package: a stable code, and the side that has to act. */
export { CodedError, type ErrorTable } from '@holdfast/grip';
