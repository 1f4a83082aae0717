import type { Alert } from '../src/contract/activities.js';
import type { PostableAlert } from './ports.js';

/** What this installation adds to an alert. */
export interface Alerting {
  /** The team label of alerts about rings up to the perimeter, and beyond it. */
  teams: { perimeter: string; outer: string };
  /** Where `docs/runbooks.md` is published, without an anchor. */
  runbookUrl: string;
}

export const DEFAULT_ALERTING: Alerting = {
  teams: { perimeter: 'release-managers', outer: 'ops' },
  runbookUrl: 'docs/runbooks.md',
};

/** An alert to be posted. */
export interface Message {
  alert: Alert;
  /** When it was raised, or resolved; epoch ms. */
  raisedMs: number;
  /** Since when it waits to be delivered, epoch ms. */
  heldSinceMs: number;
}

/** An alert that nobody raises again for so long is no longer ours to page about. */
const UP_MS = 24 * 3_600_000;
/**
 * One that is delivered late may be over by now, and another worker may have said so already: it stays up for so long
 * only, unless it is raised again.
 */
const UP_WHEN_LATE_MS = 3_600_000;
const LATE_MS = 30_000;

const LONGEST_LABEL = 128;
const LONGEST = { summary: 1_000, evidence: 4_000, next: 2_000, runbook_url: 1_000 };

/** What tells one alert from another, for as long as it is not posted. */
export const identityOf = (alert: Alert): string => {
  const { name, severity, cluster, ring, cell, brake, version, team } = alert;
  return JSON.stringify([name, severity, cluster, ring, cell, brake, version, team]);
};

/** As Alertmanager takes it: once for each team that is to know. */
export function toPost({ alert, raisedMs, heldSinceMs }: Message, alerting: Alerting, nowMs: number): PostableAlert[] {
  const teams = new Set(teamsOf(alert, alerting));
  return [...teams].map((team) => ({
    labels: labelsOf(alert, team),
    annotations: annotationsOf(alert, alerting),
    ...(alert.resolved
      ? resolvedAt(alert, raisedMs)
      : firingSince(alert, raisedMs, nowMs + (nowMs - heldSinceMs > LATE_MS ? UP_WHEN_LATE_MS : UP_MS))),
  }));
}

export function teamsOf({ team = 'both' }: Alert, { teams }: Alerting): string[] {
  return team === 'both' ? [teams.perimeter, teams.outer] : [teams[team]];
}

/** The section of the runbooks about it. */
export const runbookUrlOf = ({ name, runbookUrl }: Alert, alerting: Alerting): string =>
  runbookUrl ?? `${alerting.runbookUrl}#${name.toLowerCase()}`;

function firingSince({ startedAtMs }: Alert, raisedMs: number, untilMs: number) {
  // A clock that is ahead of Alertmanager's must not make an alert that has not begun.
  return { startsAt: instant(Math.min(startedAtMs ?? raisedMs, raisedMs)), endsAt: instant(untilMs) };
}

/** Without a beginning, Alertmanager keeps the one that it knows. */
function resolvedAt({ startedAtMs }: Alert, raisedMs: number) {
  const begun = startedAtMs && startedAtMs < raisedMs ? { startsAt: instant(startedAtMs) } : {};
  return { ...begun, endsAt: instant(raisedMs) };
}

const instant = (ms: number): string => new Date(ms).toISOString();

/** Alertmanager takes an empty label for none at all. */
function labelsOf(
  { name, severity, cluster, ring, cell, brake, version }: Alert,
  team: string,
): Record<string, string> {
  const all = { alertname: name, severity, cluster, ring: ring?.toString(), cell, brake, package: version, team };
  const labels = Object.entries(all).map(([label, value]): [string, string] => [label, labelText(value ?? '')]);
  return Object.fromEntries(labels.filter(([, value]) => value !== ''));
}

function annotationsOf(alert: Alert, alerting: Alerting): Record<string, string> {
  return {
    summary: cut(alert.summary, LONGEST.summary),
    ...(alert.evidence?.length ? { evidence: cut(alert.evidence.join('\n'), LONGEST.evidence) } : {}),
    runbook_url: cut(runbookUrlOf(alert, alerting), LONGEST.runbook_url),
    ...(alert.next.length > 0 ? { next: cut(alert.next.join('\n'), LONGEST.next) } : {}),
  };
}

/** One line of printable text: it is shown in subjects, and compared by routes. */
const labelText = (text: string): string => cut(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim(), LONGEST_LABEL);

/** Well-formed, and so many characters at most. */
function cut(text: string, longest: number): string {
  const characters = [...text.replace(/\p{Surrogate}/gu, '\ufffd')];
  return characters.length <= longest ? characters.join('') : `${characters.slice(0, longest - 1).join('')}…`;
}
