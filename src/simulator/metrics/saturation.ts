import type { MeasuredCell } from './cell.js';
import { STEPS_A_DAY } from './clock.js';
import { smoothAt, streamOf, unitAt } from './draws.js';
import type { Component } from './services.js';

/** What follows the load: how full at the usual one, and how much a restart adds. */
const LOADED: Partial<Record<Component, { usual: number; cold: number }>> = {
  puma_workers: { usual: 0.32, cold: 0.08 },
  rails_db_connection_pool: { usual: 0.25, cold: 0.04 },
  pg_primary_cpu: { usual: 0.28, cold: 0.05 },
};
/** What is filled slowly and emptied at once: least and most, and in how many days. */
const FILLED: Partial<Record<Component, { least: number; most: number; days: number }>> = {
  disk_space: { least: 0.3, most: 0.42, days: 9 },
  redis_memory: { least: 0.25, most: 0.35, days: 3 },
};
/** Processes take memory for some hours after each restart. */
const MEMORY = { fresh: 0.3, grown: 0.45, days: 0.15 };
const WOBBLE = { size: 0.008, steps: 4 };

/** How full a component of a cell is when a step begins: 0 to 1. */
export function saturation(cell: MeasuredCell, component: Component): (step: number) => number {
  const usualAt = usual(cell, component);
  const wobble = streamOf(cell.seed, `saturation/${component}/${cell.id}`);
  return (step) => {
    const last = Math.max(0, step - 1);
    const worse = cell.worsening({ signal: 'saturation', component }, last, last + 1);
    const full = usualAt(last) + WOBBLE.size * smoothAt(wobble, last / WOBBLE.steps) + worse;
    return Math.min(1, Math.max(0, full));
  };
}

function usual(cell: MeasuredCell, component: Component): (step: number) => number {
  const [loaded, filled] = [LOADED[component], FILLED[component]];
  if (loaded) {
    // The more there is to do, the slower it fills up: no load makes it 1.
    const busy = (step: number): number => (cell.rate === 0 ? 0 : 1 - (1 - loaded.usual) ** cell.loadAt(step));
    return (step) => busy(step) + loaded.cold * cell.coldnessAt(step);
  }
  if (filled) {
    const offset = unitAt(streamOf(cell.seed, `filled/${component}/${cell.id}`), 0);
    return (step) => filled.least + (filled.most - filled.least) * ((step / STEPS_A_DAY / filled.days + offset) % 1);
  }
  const growing = (step: number): number => Math.exp(-cell.sinceRestart(step) / (MEMORY.days * STEPS_A_DAY));
  return (step) => MEMORY.grown - (MEMORY.grown - MEMORY.fresh) * growing(step);
}
