import { expect, it } from 'vitest';
import { run } from './harness.js';
import { halted } from './statuses.js';

const status = {
  ...{
    cluster: 'prod',
    perimeter: 1,
    rings: [],
    brakes: [],
    quarantined: [],
    queue: [],
    waitingFor: null,
    rejected: [],
  },
  ...{ autoDeploy: { state: 'running' } },
};
const cells = (open: unknown[]) => ({
  cluster: () => ({ status: async () => status }),
  listRollouts: async () => open,
  rollout: () => ({ status: async () => halted }),
});

it('lists what waits for a person, with the commands that would end it', async () => {
  const { exit, stdout } = await run(['todo'], cells([{ version: halted.version }]));
  expect(exit).toBe(0);
  expect(stdout).toContain(`operator ring 3 ${halted.version}  ops, 1m ago`);
  expect(stdout).toContain(`→ cellctl retry --ring 3 ${halted.version}`);
});

it('is one document with --json, and can speak of one team alone', async () => {
  const { stdout } = await run(['todo', '--json'], cells([{ version: halted.version }]));
  expect(JSON.parse(stdout)[0]).toMatchObject({ kind: 'brake', team: 'ops', next: [expect.any(String)] });
  const none = await run(['todo', '--team', 'release-managers'], cells([{ version: halted.version }]));
  expect(none).toMatchObject({ exit: 0, stdout: 'nothing waits for a person\n' });
});
