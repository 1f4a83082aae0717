/** What was asked of a rollback that left cells on its package. */
export interface LeftBy {
  version: string;
  /** Only this ring was meant. */
  ring?: number | undefined;
  /** The package was not to be blocked. */
  block?: boolean | undefined;
}

/** The command that takes back what a rollback left, as it was asked for; cells named may be taken down for it. */
export function rollbackAgain({ version, ring, block }: LeftBy, needDowntime: readonly string[]): string {
  const where = ring === undefined ? '' : ` --ring ${ring}`;
  const unblocked = block === false ? ' --no-block' : '';
  const down = needDowntime.length === 0 ? '' : ` --allow-downtime ${needDowntime.join(' ')}`;
  return `cellctl rollback ${version}${where}${unblocked}${down} --reason "…"`;
}
