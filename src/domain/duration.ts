const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** `90s`, `30m`, `1h`, `2d`: one whole number and one unit. Seven digits keep every sum of instants exact. */
export const DURATION_PATTERN = /^\d{1,7}[smhd]$/;

/** Reads a duration such as `90s`, `30m`, `1h` or `2d`: ms, or null for anything else (fractions and combinations too). */
export function parseDuration(text: string): number | null {
  if (!DURATION_PATTERN.test(text)) return null;
  return Number(text.slice(0, -1)) * UNIT_MS[text.slice(-1) as Unit];
}

/** Renders ms for people: `1h 30m`, `45s`, `250ms`; parts of a second are dropped above one, what is negative is `0s`. */
export function formatDuration(ms: number): string {
  if (!(ms > 0)) return '0s';
  if (ms < UNIT_MS.s) return `${Math.ceil(ms)}ms`;
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, size] of Object.entries(UNIT_MS)) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.join(' ');
}
