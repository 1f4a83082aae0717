/** Commands of the contract that this version does not have, and what does their work meanwhile; docs/limits.md lists them. */
const INSTEAD: Record<string, string[]> = {
  settings: [],
};

export const NOT_IN_FORCE = Object.keys(INSTEAD);

/** What to say of a command that is not known; null where it is none of the contract's. */
export function notInForce(command: string): { says: string; next: string[] } | null {
  const next = INSTEAD[command];
  if (!next) return null;
  return { says: `${command} is not in this version: docs/limits.md`, next };
}
