/**
 * Last argument of a query to a run that is over. Events that no workflow task has taken any more, such as a signal just
 * before somebody terminated it, are left out of the answer; without it such a query is refused for ever, as one that came
 * between two tasks of a run that goes on.
 */
export const CLOSED_RUN = 'closed-run';
