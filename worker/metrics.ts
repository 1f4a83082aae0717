import { makeTelemetryFilterString, Runtime, type TelemetryOptions } from '@temporalio/worker';
import { type Logger, temporalLogger } from '../src/config/logging.js';

/**
 * Sets the SDK's runtime up for this process: it logs through ours and serves its metrics for Prometheus. Once, and
 * before the first worker. Throws when the address cannot be bound.
 */
export function installRuntime({ log, metricsAddress }: { log: Logger; metricsAddress: string | null }): void {
  const filter = makeTelemetryFilterString({ core: 'WARN', other: 'WARN' });
  const telemetryOptions: TelemetryOptions = { logging: { filter, forward: {} } };
  if (metricsAddress !== null) {
    // Without these three, names differ from those that Temporal's dashboards and documentation use.
    const names = { countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true };
    telemetryOptions.metrics = { prometheus: { bindAddress: metricsAddress, ...names } };
  }
  Runtime.install({ logger: temporalLogger(log), telemetryOptions });
}
