import { sameVersion } from '../src/domain/package-version.js';
import type { AmpTenant, MetadataAnswer, ReadinessAnswer } from './ports.js';
import { runsCommit } from './versions.js';

/** Why AMP's word alone says that nothing is finished there, or something else than wanted; null where it says neither. */
export function wrongForAmp(version: string, chartVersion: string | null, tenant: AmpTenant): string | null {
  const { facts, activeJob } = tenant;
  if (activeJob !== null) return `job ${activeJob} is under way on it`;
  if (!sameVersion(facts.version, version)) return `it runs ${facts.version ?? 'an unknown version'}, not ${version}`;
  if (chartVersion === null || chartVersion === facts.chartVersion) return null;
  return `it runs chart ${facts.chartVersion ?? '(unknown)'}, not ${chartVersion}`;
}

/** Why the cell's own answers do not confirm this version; null where they do. An answer not asked for says nothing. */
export function wrongForCell(
  version: string,
  readiness: ReadinessAnswer | null,
  metadata: MetadataAnswer | null,
): string | null {
  if (readiness !== null && readiness.state !== 'ready') return readiness.detail;
  if (metadata === null) return null;
  if (metadata.state !== 'known') return metadata.detail;
  return runsCommit(version, metadata.revision) ? null : `it reports revision ${metadata.revision}, not ${version}'s`;
}
