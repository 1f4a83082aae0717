import type { Alert } from '../../contract/activities.js';
import type { AlertBook } from '../../contract/internal.js';
import { earliest } from '../instant.js';

/** What is to be said of alerts, by what is the matter now and what was said before. */

/** Alerts whose cause is there, and when another one's may be, by time alone; epoch ms, null: never. */
export interface Due {
  alerts: Alert[];
  nextMs: number | null;
}

/** An Alertmanager that restarts forgets: what lasts is raised again so often. */
const RAISE_AGAIN_MS = 3_600_000;

/** The same for the same alert, whatever it says. */
export const keyOf = ({ name, severity, cluster, ring, cell, brake, version, team }: Alert): string =>
  JSON.stringify([name, severity, cluster, ring, cell, brake, version, team]);

/** Notes in the book what is due; answers what is to be said now, by key: what is over as `resolved`. */
export function toSay(book: AlertBook, due: readonly Alert[], now: number): [key: string, alert: Alert][] {
  const isDue = new Set<string>();
  const said: [string, Alert][] = [];
  for (const alert of due) {
    const key = keyOf(alert);
    if (isDue.has(key)) continue;
    isDue.add(key);
    const before = book[key];
    const startedAtMs = before?.alert.startedAtMs ?? alert.startedAtMs ?? now;
    const entry = { alert: { ...alert, startedAtMs }, saidAtMs: before?.saidAtMs ?? null };
    book[key] = entry;
    if (entry.saidAtMs === null || now >= entry.saidAtMs + RAISE_AGAIN_MS) said.push([key, entry.alert]);
  }
  const over = Object.entries(book).filter(([key]) => !isDue.has(key));
  return [...said, ...over.map(([key, { alert }]): [string, Alert] => [key, { ...alert, resolved: true }])];
}

/** When the next alert is to be raised again; null: none is up. */
export function nextRaise(book: AlertBook): number | null {
  return earliest(
    Object.values(book).flatMap(({ saidAtMs }) => (saidAtMs === null ? [] : [saidAtMs + RAISE_AGAIN_MS])),
  );
}

/** What of several rooms is due together. */
export const together = (...all: Due[]): Due => ({
  alerts: all.flatMap(({ alerts }) => alerts),
  nextMs: earliest(all.flatMap(({ nextMs }) => nextMs ?? [])),
});
