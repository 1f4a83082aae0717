/** Commands of the contract that this version does not have, and what does their work meanwhile; docs/limits.md lists them. */
const INSTEAD: Record<string, string[]> = {
  plan: ['cellctl status'],
  quarantine: ['set quarantined on the cell in the topology, then cellctl cluster apply FILE'],
  readmit: ['take quarantined off the cell in the topology, then cellctl cluster apply FILE'],
  wait: ['cellctl status VERSION --watch', 'cellctl deploy --ring N VERSION --wait'],
  todo: ['cellctl rollouts --open', 'cellctl brake list'],
  settings: [],
  reconcile: ['cellctl status', 'cellctl retry --ring N VERSION'],
};

export const NOT_IN_FORCE = Object.keys(INSTEAD);

/** What to say of a command that is not known; null where it is none of the contract's. */
export function notInForce(command: string): { says: string; next: string[] } | null {
  const next = INSTEAD[command];
  if (!next) return null;
  return { says: `${command} is not in this version: docs/limits.md`, next };
}
