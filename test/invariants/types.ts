/** One act of a person or of release-tools, as the test that did it saw it. Instants are epoch milliseconds. */
export interface ActRecord {
  act: string;
  /** The package it was for; null: the cluster. */
  version: string | null;
  payload: unknown;
  askedAt: number;
  /** null: not answered yet. */
  answeredAt: number | null;
  answer: unknown;
  /** Set where it was refused or failed. */
  error?: string;
}

/** A job of AMP's own log; fields named as on the wire. */
export interface LoggedJob {
  id: string;
  tenant: string;
  kind: string;
  version: string;
  from_version: string | null;
  state: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  idempotency_key: string;
  post_deploy_migrations?: string;
}
