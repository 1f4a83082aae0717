import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * `describe` for tests that need these commands. Where one is missing they are skipped, saying so; but in CI (`CI` is
 * set) they run, and fail.
 */
export function describeWith(...commands: string[]): typeof describe | typeof describe.skip {
  const missing = commands.filter((command) => !isInstalled(command));
  if (missing.length === 0 || process.env.CI) return describe;
  process.stderr.write(
    `tests are skipped: ${missing.join(' and ')} not found; apt-get install prometheus prometheus-alertmanager\n`,
  );
  return describe.skip;
}
