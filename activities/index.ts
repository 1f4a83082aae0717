import { setTimeout } from 'node:timers/promises';
import type { Activities } from '../src/contract/activities.js';
import { type Alerting, DEFAULT_ALERTING } from './alert-content.js';
import { alertmanagerOverHttp } from './alertmanager-http.js';
import { createRaiseAlert } from './alerts.js';
import { ampOverHttp } from './amp-http.js';
import type { TemporalClient } from './ask-temporal.js';
import { createReadCalendar } from './calendar.js';
import { cellsOverHttp } from './cell-http.js';
import { createWatchChecks } from './checks.js';
import type { Endpoint } from './endpoint.js';
import { createAwaitHealthyRings, createJudgeRing } from './gate.js';
import { createJudgeCell } from './health.js';
import { createRunJob } from './job.js';
import { createIsLedgerServed, createTellLedger } from './ledger.js';
import { createLookAtCells } from './look.js';
import { DEFAULT_PATIENCE, type Patience } from './patience.js';
import type { AlertmanagerApi, AmpDriver, CellApi, Logger, PrometheusApi } from './ports.js';
import { prometheusOverHttp } from './prometheus-http.js';
import { createWatchRing } from './ring-health.js';
import { createDescribePass, createReadEntry, createSurveyPackage } from './rollback.js';
import {
  createAwaitCells,
  createDescribeRuns,
  createListOpenCells,
  createListOpenRollouts,
  createReadRollout,
  createTerminatePass,
} from './runs.js';
import { createVerifyCell } from './verify.js';
import { createWatchCells } from './watch.js';

export type { AlertmanagerApi, AmpDriver, CellApi, Logger, PrometheusApi } from './ports.js';

export interface Dependencies {
  amp: AmpDriver;
  cells: CellApi;
  client: TemporalClient;
  log: Logger;
  /** null: no signal can be measured. */
  prometheus?: PrometheusApi | null;
  /** null: alerts go to the log. */
  alertmanager?: AlertmanagerApi | null;
  alerting?: Alerting;
  /** How long an AMP in trouble is asked again before an activity fails; what is left out is as `DEFAULT_PATIENCE`. */
  patience?: Partial<Patience>;
}

/** The effects behind the workflows, one function an activity, on whatever AMP, cells and Temporal are given. */
export function createActivities(dependencies: Dependencies): Activities {
  const all = { ...dependencies, patience: { ...DEFAULT_PATIENCE, ...dependencies.patience } };
  return {
    lookAtCells: createLookAtCells(all),
    runJob: createRunJob(all),
    verifyCell: createVerifyCell(all),
    judgeCell: createJudgeCell(all),
    awaitHealthyRings: createAwaitHealthyRings(all),
    judgeRing: createJudgeRing(all),
    watchChecks: createWatchChecks(all),
    watchRing: createWatchRing(all),
    watchCells: createWatchCells(all),
    awaitCells: createAwaitCells(all),
    describeRuns: createDescribeRuns(all),
    listOpenCells: createListOpenCells(all),
    terminatePass: createTerminatePass(all),
    readRollout: createReadRollout(all),
    listOpenRollouts: createListOpenRollouts(all),
    raiseAlert: createRaiseAlert(all),
    tellLedger: createTellLedger(all),
    isLedgerServed: createIsLedgerServed(all),
    surveyPackage: createSurveyPackage(all),
    readEntry: createReadEntry(all),
    describePass: createDescribePass(all),
    readCalendar: createReadCalendar(),
    linger: (ms) => setTimeout(ms),
  };
}

export interface DependencyOptions {
  /** As in `AMP_URL`. */
  ampUrl: string;
  /** As in `AMP_TOKEN`. */
  ampToken?: string | undefined;
  /** As in `CELLS_API_TOKEN`. */
  cellsToken?: string | undefined;
  /** As in `PROMETHEUS_URL` and `PROMETHEUS_TOKEN`. */
  prometheus?: Endpoint | null | undefined;
  /** As in `ALERTMANAGER_URL` and `ALERTMANAGER_TOKEN`. */
  alertmanager?: Endpoint | null | undefined;
  /** As in `ALERT_TEAM_PERIMETER`, `ALERT_TEAM_OUTER` and `RUNBOOK_URL`. */
  alerting?: { teams: Alerting['teams']; runbookUrl: string | null } | undefined;
  client: Dependencies['client'];
  log: Logger;
}

/** The dependencies of a real worker: everything over HTTP. */
export const createDependencies = (options: DependencyOptions): Dependencies => ({
  amp: ampOverHttp({ url: options.ampUrl, token: options.ampToken }),
  cells: cellsOverHttp({ token: options.cellsToken }),
  prometheus: options.prometheus ? prometheusOverHttp(options.prometheus) : null,
  alertmanager: options.alertmanager ? alertmanagerOverHttp(options.alertmanager) : null,
  alerting: {
    teams: options.alerting?.teams ?? DEFAULT_ALERTING.teams,
    runbookUrl: options.alerting?.runbookUrl ?? DEFAULT_ALERTING.runbookUrl,
  },
  client: options.client,
  log: options.log,
});
