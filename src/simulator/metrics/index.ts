export type { CellModel, CellPast, Install, MetricsSettings } from './cell.js';
export { REAL_DAY_MS, SHORTEST_DAY_MS, STEPS_A_DAY } from './clock.js';
export { type Labels, METRICS, type Series, seriesOf } from './series.js';
export { COMPONENTS, type Component, SERVICE_TYPES, SERVICES, type ServiceType } from './services.js';
export {
  type Regression,
  SIGNALS,
  type Signal,
  type Silence,
  type Strike,
  WORSENED,
  type Worsened,
} from './strikes.js';
