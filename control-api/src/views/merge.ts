/**
 * One answer out of several.
 *
 * Owns: what the processes of a node amount to when it is asked. Does not own: asking them, or the answers of nodes, of
 * which the views show each (cluster-views.ts).
 */
import type { Question } from '../cluster/cluster.js';
import { readChannelView, sumChannelViews } from './channel-view.js';
import { readConnectionView } from './connection-view.js';

/**
 * The answer of a node whose processes gave these: subscribers are added up, of connections the first that was found counts.
 * Answers that cannot be read count as none. Called by the process that answers for the others.
 */
export function mergeAnswers(question: Question, answers: readonly unknown[]): unknown {
  switch (question.about) {
    case 'channel':
      return sumChannelViews(answers.map(readChannelView).filter((view) => view !== undefined));
    case 'connection':
      return answers.find((answer) => readConnectionView(answer) !== undefined) ?? null;
    case 'disconnect':
      return answers.includes(true);
  }
}
