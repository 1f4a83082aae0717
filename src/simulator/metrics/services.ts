export const SERVICE_TYPES = ['webservice', 'api', 'git'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export const COMPONENTS = [
  'puma_workers',
  'rails_db_connection_pool',
  'pg_primary_cpu',
  'kube_container_memory',
  'disk_space',
  'redis_memory',
] as const;
export type Component = (typeof COMPONENTS)[number];

export interface Service {
  /** Of a cell's requests. */
  share: number;
  /** Objectives: the share of requests that are fast enough, and of those that succeed. */
  objective: { apdex: number; success: number };
  /** What of the objective's budget a healthy cell spends. */
  spends: { apdex: number; success: number };
}

/** The types of requests that a cell serves. */
export const SERVICES: Record<ServiceType, Service> = {
  webservice: {
    share: 0.62,
    objective: { apdex: 0.998, success: 0.9999 },
    spends: { apdex: 0.35, success: 0.3 },
  },
  api: {
    share: 0.3,
    objective: { apdex: 0.995, success: 0.999 },
    spends: { apdex: 0.4, success: 0.3 },
  },
  git: {
    share: 0.08,
    objective: { apdex: 0.999, success: 0.9995 },
    spends: { apdex: 0.35, success: 0.3 },
  },
};
