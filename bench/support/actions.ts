import { type About, eventsOf, type History, type HistoryEvent, isAbout } from './histories.js';

/** How many actions of each kind, in the words of Temporal's own price list. */
export type Actions = Record<Kind, number>;

const KINDS = [
  'workflow started or continued',
  'child workflow asked for',
  'activity attempt',
  'local activity',
  'timer',
  'signal',
  'update',
  'search attributes',
] as const;
type Kind = (typeof KINDS)[number];

/**
 * Each is one action. A child is two in all: one where it is asked for, one where it starts. A signal counts where it
 * arrives, so that one between two workflows is not counted twice. Heartbeats and queries leave no event.
 */
const ABOUT: readonly (readonly [About, Kind])[] = [
  ['workflowExecutionStartedEventAttributes', 'workflow started or continued'],
  ['startChildWorkflowExecutionInitiatedEventAttributes', 'child workflow asked for'],
  ['activityTaskScheduledEventAttributes', 'activity attempt'],
  ['markerRecordedEventAttributes', 'local activity'],
  ['timerStartedEventAttributes', 'timer'],
  ['workflowExecutionSignaledEventAttributes', 'signal'],
  ['workflowExecutionUpdateAcceptedEventAttributes', 'update'],
  ['upsertWorkflowSearchAttributesEventAttributes', 'search attributes'],
];

export const noActions = (): Actions => Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Actions;

export function actionsIn(events: readonly HistoryEvent[]): Actions {
  const actions = noActions();
  for (const event of events) {
    for (const [about, kind] of ABOUT) if (isAbout(event, about)) actions[kind] += 1;
    // The first attempt is counted where it was scheduled.
    actions['activity attempt'] += (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1;
  }
  return actions;
}

export const actionsOf = (history: History): Actions => actionsIn(eventsOf(history));

export function addActions(into: Actions, more: Actions): void {
  for (const kind of KINDS) into[kind] += more[kind];
}

export const allActions = (actions: Actions): number => KINDS.reduce((total, kind) => total + actions[kind], 0);
