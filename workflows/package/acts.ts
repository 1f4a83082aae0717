import * as messages from '../../src/contract/messages.js';
import { shortened } from '../../src/domain/shortened.js';
import * as signals from '../shared/signals.js';

/** Acts that are told as a signal or as an update, and answer the status after them. */
export const ACTS = {
  releaseBrake: {
    schema: messages.releaseBrake,
    update: signals.releaseBrakeUpdate,
    signal: signals.releaseBrakeSignal,
    text: 'Takes a brake of this package off: {by, brakeId?, reason?}.',
  },
  recordCheck: {
    schema: messages.recordCheck,
    update: signals.recordCheckUpdate,
    signal: signals.recordCheckSignal,
    text: 'What release-tools’ own QA of a ring said: {ring, name, outcome, by}.',
  },
  approveRing: {
    schema: messages.approveRing,
    update: signals.approveRingUpdate,
    signal: signals.approveRingSignal,
    text: 'Approves this package for a ring: {ring, by, reason?}.',
  },
  override: {
    schema: messages.override,
    update: signals.overrideUpdate,
    signal: signals.overrideSignal,
    text: 'Ends one wait in one ring: {wait, ring, by, reason}.',
  },
  retryRing: {
    schema: messages.retryRing,
    update: signals.retryRingUpdate,
    signal: signals.retryRingSignal,
    text: 'Looks again, and goes on with what did not converge: {ring, by, cells?}.',
  },
  abort: {
    schema: messages.abort,
    update: signals.abortUpdate,
    signal: signals.abortSignal,
    text: 'No further cell; with rollback the cells on it go back: {by, reason, rollback?}.',
  },
} as const;

const MAX_DETAIL = 500;

/** What an act was about, for the record: everything but who, why and where. */
export function detailOf(message: object): string {
  const { by: _by, reason: _reason, url: _url, ...rest } = message as Record<string, unknown>;
  const text = JSON.stringify(rest);
  // It stands in the status, and in the state that is carried over: a list of thousands of cells is not for either.
  return shortened(text, MAX_DETAIL);
}
