import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type * as internal from '../../src/contract/internal.js';
import type { LedgerStatus } from '../../src/contract/ledger.js';
import type * as returning from '../../src/contract/returning.js';
import type {
  ApplyTopologyResult,
  BlockResult,
  BrakeResult,
  ClusterStatus,
  Everywhere,
  Forecast,
  GraduateResult,
  JudgedTopology,
  PackageRollbackStatus,
  PackageRolloutStatus,
  RingResult,
} from '../../src/contract/status.js';

/** Every message by its name: a name is what other languages type, so it never changes. */

// ── from people and release-tools; payloads are judged by validators, hence unknown ──

export const deployRingUpdate = defineUpdate<RingResult, [unknown]>('deployRing');
export const migrateRingUpdate = defineUpdate<RingResult, [unknown]>('migrateRing');
export const graduateUpdate = defineUpdate<GraduateResult, [unknown]>('graduate');
export const approveRingUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('approveRing');
export const overrideUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('override');
export const retryRingUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('retryRing');
export const skipCellUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('skipCell');
export const recordCheckUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('recordCheck');
export const abortUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('abort');
export const restartUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('restart');
export const releaseBrakeUpdate = defineUpdate<PackageRolloutStatus, [unknown]>('releaseBrake');
export const releaseClusterBrakeUpdate = defineUpdate<ClusterStatus, [unknown]>('releaseBrake');
export const engageBrakeUpdate = defineUpdate<BrakeResult, [unknown]>('engageBrake');
export const reconcileUpdate = defineUpdate<ClusterStatus, [unknown]>('reconcile');
export const applyTopologyUpdate = defineUpdate<ApplyTopologyResult, [unknown]>('applyTopology');
export const blockVersionUpdate = defineUpdate<BlockResult, [unknown]>('blockVersion');
export const unblockVersionUpdate = defineUpdate<ClusterStatus, [unknown]>('unblockVersion');
export const skipRollbackCellUpdate = defineUpdate<PackageRollbackStatus, [unknown]>('skipCell');
export const abortRollbackUpdate = defineUpdate<PackageRollbackStatus, [unknown]>('abort');

export const reconcileSignal = defineSignal<[unknown]>('reconcile');
export const quarantineCellUpdate = defineUpdate<ClusterStatus, [unknown]>('quarantineCell');
export const readmitCellUpdate = defineUpdate<ClusterStatus, [unknown]>('readmitCell');
export const resumeAutoDeployUpdate = defineUpdate<ClusterStatus, [unknown]>('resumeAutoDeploy');

export const quarantineCellSignal = defineSignal<[unknown]>('quarantineCell');
export const readmitCellSignal = defineSignal<[unknown]>('readmitCell');
export const resumeAutoDeploySignal = defineSignal<[unknown]>('resumeAutoDeploy');
export const graduateSignal = defineSignal<[unknown]>('graduate');
export const recordCheckSignal = defineSignal<[unknown]>('recordCheck');
export const engageBrakeSignal = defineSignal<[unknown]>('engageBrake');
export const releaseBrakeSignal = defineSignal<[unknown]>('releaseBrake');
export const approveRingSignal = defineSignal<[unknown]>('approveRing');
export const overrideSignal = defineSignal<[unknown]>('override');
export const retryRingSignal = defineSignal<[unknown]>('retryRing');
export const skipCellSignal = defineSignal<[unknown]>('skipCell');
export const abortSignal = defineSignal<[unknown]>('abort');
export const restartSignal = defineSignal<[unknown]>('restart');
export const blockVersionSignal = defineSignal<[unknown]>('blockVersion');
export const unblockVersionSignal = defineSignal<[unknown]>('unblockVersion');

export const rolloutStatusQuery = defineQuery<PackageRolloutStatus>('status');
export const rollbackStatusQuery = defineQuery<PackageRollbackStatus>('status');
export const clusterTopologyQuery = defineQuery<internal.PackedTopology>('topology');
export const ledgerStatusQuery = defineQuery<LedgerStatus>('status');
export const isEverywhereQuery = defineQuery<Everywhere, [unknown]>('isEverywhere');
export const forecastQuery = defineQuery<Forecast, [unknown]>('forecast');
export const judgeTopologyQuery = defineQuery<JudgedTopology, [unknown]>('judgeTopology');
export const clusterStatusQuery = defineQuery<ClusterStatus>('status');

// ── between our own workflows ──

export const registerRolloutSignal = defineSignal<[internal.RegisterRollout]>('registerRollout');
export const askGraduationSignal = defineSignal<[internal.AskGraduation]>('askGraduation');
export const requestRingSignal = defineSignal<[internal.RequestRing]>('requestRing');
export const withdrawRequestSignal = defineSignal<[internal.WithdrawRequest]>('withdrawRequest');
export const claimRingSignal = defineSignal<[internal.ClaimRing]>('claimRing');
export const packageBrakesSignal = defineSignal<[internal.PackageBrakes]>('packageBrakes');
export const askCellSignal = defineSignal<[internal.AskCell]>('askCell');
export const askRingSignal = defineSignal<[internal.AskRing]>('askRing');
export const rolloutAbortingSignal = defineSignal<[internal.RolloutAborting]>('rolloutAborting');
export const rolloutEndedSignal = defineSignal<[internal.RolloutEnded]>('rolloutEnded');

export const askRollbackSignal = defineSignal<[returning.AskRollback]>('askRollback');
export const rollbackEndedSignal = defineSignal<[returning.RollbackEnded]>('rollbackEnded');

export const rollbackAnswerSignal = defineSignal<[returning.RollbackAnswer]>('rollbackAnswer');
export const takenBackSignal = defineSignal<[returning.TakenBack]>('takenBack');
export const registeredSignal = defineSignal<[internal.Registered]>('registered');
export const graduationAnswerSignal = defineSignal<[internal.GraduationAnswer]>('graduationAnswer');
export const ringAnswerSignal = defineSignal<[internal.RingAnswer]>('ringAnswer');
export const cellAnswerSignal = defineSignal<[internal.CellAnswer]>('cellAnswer');
export const packageBrakesKnownSignal = defineSignal<[internal.PackageBrakesKnown]>('packageBrakesKnown');
export const ringKnownSignal = defineSignal<[internal.RingKnown]>('ringKnown');
export const supersededSignal = defineSignal<[internal.SupersededNotice]>('superseded');
export const passLostSignal = defineSignal<[internal.PassLost]>('passLost');
export const clusterStartedSignal = defineSignal('clusterStarted');

export const enterRingSignal = defineSignal<[internal.EnterRing]>('enterRing');
export const ringReportSignal = defineSignal<[internal.RingReport]>('ringReport');
export const brakesHoldSignal = defineSignal<[internal.BrakesHold]>('brakesHold');

export const enterSignal = defineSignal<[internal.EnterInLedger]>('enter');

export const ringEntrySignal = defineSignal<[internal.RingEntry]>('ringEntry');
export const setBrakesSignal = defineSignal<[internal.SetBrakes]>('setBrakes');
export const stopPassSignal = defineSignal<[internal.StopPass]>('stopPass');
export const retryPassSignal = defineSignal<[internal.RetryPass]>('retryPass');
export const skipInPassSignal = defineSignal<[internal.SkipInPass]>('skipInPass');
export const quarantineInPassSignal = defineSignal<[internal.QuarantineInPass]>('quarantineInPass');
export const overrideInPassSignal = defineSignal<[internal.OverrideInPass]>('overrideInPass');
export const holdForwardSignal = defineSignal<[internal.HoldForward]>('holdForward');
export const checkInPassSignal = defineSignal<[internal.CheckInPass]>('checkInPass');
export const cellsLeftSignal = defineSignal<[internal.CellsLeft]>('cellsLeft');
export const reportNowSignal = defineSignal<[internal.ForPass]>('reportNow');
export const bakedEverywhereSignal = defineSignal<[internal.ForPass]>('bakedEverywhere');

export const ringHealthSignal = defineSignal<[internal.RingHealthMessage]>('ringHealth');
export const ringGateSignal = defineSignal<[internal.RingGateMessage]>('ringGate');
export const ringChecksSignal = defineSignal<[internal.RingChecksMessage]>('ringChecks');
export const cellNoteSignal = defineSignal<[internal.CellNote]>('cellNote');
export const standAsideSignal = defineSignal<[internal.StandAside]>('standAside');
export const waiveHealthSignal = defineSignal('waiveHealth');
export const standDownSignal = defineSignal('standDown');
export const cellOrdersSignal = defineSignal<[internal.CellOrders]>('cellOrders');
