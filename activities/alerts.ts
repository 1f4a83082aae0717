import { Context } from '@temporalio/activity';
import type { Activities, Alert } from '../src/contract/activities.js';
import { type Alerting, DEFAULT_ALERTING, runbookUrlOf, teamsOf } from './alert-content.js';
import { AlertOutbox } from './alert-outbox.js';
import type { AlertmanagerApi, Logger } from './ports.js';

export interface AlertDependencies {
  log: Logger;
  /** null: alerts go to the log. */
  alertmanager?: AlertmanagerApi | null | undefined;
  alerting?: Alerting | undefined;
}

/** `raiseAlert`: tells people, or tells them that it is over. Never fails: who raises an alert has trouble enough. */
export function createRaiseAlert(dependencies: AlertDependencies): Activities['raiseAlert'] {
  const { log, alertmanager = null, alerting = DEFAULT_ALERTING } = dependencies;
  const outbox = alertmanager === null ? null : new AlertOutbox({ alertmanager, alerting, log });
  return async (alert) => {
    const askedMs = askedAtMs();
    try {
      if (outbox === null) return write(log, 'warn', alert, askedMs, alerting);
      write(log, 'info', alert, askedMs, alerting);
    } catch {
      // A log that cannot be written to is no reason to hold a ring.
    }
    await outbox?.send(alert, askedMs);
  };
}

/** When the workflow asked for this: the same for every attempt. */
function askedAtMs(): number {
  try {
    return Context.current().info.scheduledTimestampMs;
  } catch {
    return Date.now();
  }
}

/** All that Alertmanager would be told. */
function write(log: Logger, level: 'info' | 'warn', alert: Alert, askedMs: number, alerting: Alerting): void {
  const more = {
    ...(alert.resolved ? {} : { startedAtMs: alert.startedAtMs ?? askedMs }),
    teams: teamsOf(alert, alerting),
    runbookUrl: runbookUrlOf(alert, alerting),
  };
  const sentence = `alert ${alert.name}${alert.resolved ? ' is over' : ''}: ${alert.summary}`;
  log[level]({ alert: { ...alert, ...more } }, sentence);
}
