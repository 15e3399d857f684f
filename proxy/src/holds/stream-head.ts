/** Owns: the head of a stream. Does not own: the instruct that it comes from, or what a client has missed. */
import type { InstructResponse, ResponseHead } from '@holdfast/grip';
import { ofAnotherBody } from '../http/body-fields.js';

/**
 * The instruct's own, without what describes the initial body alone: the stream's goes on. `lastEventId`, where the history has
 * told something, takes the place of the origin's.
 */
export function headOf(
  { code: status, reason, headers: all }: InstructResponse,
  lastEventId: string | undefined,
): ResponseHead {
  const headers = ofAnotherBody(all);
  if (lastEventId === undefined) return { status, reason, headers };
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== 'last-event-id') kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return { status, reason, headers: [...kept, 'Last-Event-ID', lastEventId] };
}
