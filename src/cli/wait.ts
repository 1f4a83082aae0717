import { setTimeout as sleep } from 'node:timers/promises';
import type { Everywhere, MissingCell } from '../contract/status.js';
import type { WaitOptions } from './commands/wait.js';
import type { Context, Outcome } from './context.js';
import { EXIT } from './exit.js';
import type { Facts } from './facts.js';
import { follow } from './follow.js';
import { line, type View } from './paint.js';

const SHOWN = 20;

/** Asks again and again whether a package is there; ends when it is, when it never will be, or when the time is up. */
export async function waitUntilThere(context: Context, version: string, options: WaitOptions): Promise<Outcome> {
  const { ring: rings, ignoreQuarantined, timeout } = options;
  const ask = { version, ...(rings ? { rings } : {}), ...(ignoreQuarantined ? { ignoreQuarantined } : {}) };
  const cluster = (await context.cells()).cluster();
  let last = await cluster.isEverywhere(ask);
  const end = new AbortController();
  if (!isOver(last)) {
    const until = timeout === undefined ? undefined : sleep(timeout, undefined, { signal: end.signal });
    const followed = await follow<Everywhere>({
      io: context.io,
      read: () => cluster.isEverywhere(ask),
      tree,
      facts,
      isOver,
      ...(until ? { until: until.catch(() => {}) } : {}),
      quiet: context.json,
    });
    last = followed ?? last;
  }
  end.abort();
  return outcomeOf(last);
}

const isOver = ({ there, never }: Everywhere): boolean => there || never !== null;

function outcomeOf(last: Everywhere): Outcome {
  const { version, there, never, missingTotal } = last;
  const names = last.missing.slice(0, SHOWN).map((m) => `  ${missingText(m)}`);
  const more = missingTotal > SHOWN ? [`  … and ${missingTotal - SHOWN} more: cellctl wait ${version} --json`] : [];
  if (there) {
    const left = missingTotal > 0 ? [`quarantined, and not counted: ${missingTotal}`, ...names, ...more] : [];
    return { json: last, text: [`${version}, or a newer one, is there`, ...left] };
  }
  const why = never ? `it will not be there: ${never}` : 'it is not there yet; what brings it goes on';
  const next = [`  → cellctl status ${version}`];
  const exit = never ? EXIT.failed : EXIT.timedOut;
  return { json: last, text: [`${version}: ${why}`, ...names, ...more, ...next], exit };
}

const missingText = ({ ring, cell, state, reason }: MissingCell): string =>
  `ring ${ring}${cell === null ? '' : ` ${cell}`}: ${state}, ${reason}`;

function tree({ version, rings, missing, missingTotal }: Everywhere, view: View): string[] {
  const there = rings.filter((r) => r.there).length;
  return [
    line(view, [[version, 'bold'], `  on every cell of ${there} of ${rings.length} rings`]),
    ...missing.slice(0, SHOWN).map((m) => line(view, ['  ', missingText(m)])),
    ...(missingTotal > SHOWN ? [line(view, [[`  … and ${missingTotal - SHOWN} more`, 'dim']])] : []),
  ];
}

const facts = ({ version, rings, missing }: Everywhere): Facts =>
  new Map([
    ...rings.map((r): [string, string] => [
      `ring ${r.ring}`,
      `ring ${r.ring}: ${r.there ? `${version} or newer is there` : `not there yet, converged on ${r.converged ?? 'nothing'}`}`,
    ]),
    ...missing
      .filter(({ cell }) => cell !== null)
      .map((m): [string, string] => [`${m.ring} ${m.cell}`, missingText(m)]),
  ]);
