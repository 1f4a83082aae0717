import { describe, expect, it } from 'vitest';
import { run, VERSION } from './harness.js';

const A_PACKAGE = 'a package such as 17.10.202503180906-6a387d336a7.c1c3e017782';

/** Bad command lines, and what the message must say of them. */
const bad: [argv: string[], says: string][] = [
  [[], 'Usage: cellctl'],
  [['deply'], 'Did you mean deploy?'],
  [['deploy', '--ring', '0'], "missing required argument 'version'"],
  [['deploy', VERSION], "required option '--ring <n>' not specified"],
  [['deploy', '--ring', '0', '17.10.0'], A_PACKAGE],
  [['deploy', '--ring', '0', 'latest'], A_PACKAGE],
  [['deploy', '--ring', '-1', VERSION], 'a whole ring number from 0'],
  [['deploy', '--ring', '1.5', VERSION], 'a whole ring number from 0'],
  [['deploy', '--ring', 'two', VERSION], 'a whole ring number from 0'],
  [['deploy', '--ring', '0', VERSION, 'more'], 'too many arguments'],
  [['deploy', '--ring', '0', VERSION, '--wait', '--timeout', '1.5h'], 'a duration such as 90s, 30m, 1h or 2d'],
  [['deploy', '--ring', '0', VERSION, '--wait', '--timeout', '0s'], 'a duration such as'],
  [['deploy', '--ring', '0', VERSION, '--timeout', '5m'], '--timeout limits --wait'],
  [['deploy', '--ring', '0', VERSION, '--wiat'], 'Did you mean --wait?'],
  [['deploy', '--ring', '0', VERSION, '--url', 'incident 7'], 'an http(s) link to an incident or a change'],
  [['deploy', '--ring', '0', VERSION, '--by', ' '], 'Expected words'],
  [['migrate', '--ring', '0'], "missing required argument 'version'"],
  [['graduate', '17.10'], A_PACKAGE],
  [['graduate', VERSION, '--lane', 'Very Urgent'], 'the name of a lane of the topology'],
  [['graduate', VERSION, '--chart', 'a chart'], 'a chart version such as 8.10.3'],
  [['status', 'v1'], A_PACKAGE],
  [['rollouts', '--limit', '0'], 'a whole number from 1'],
  [['brake'], 'Usage: cellctl brake'],
  [['brake', 'on'], "required option '--reason <text>' not specified"],
  [['brake', 'on', '--reason', ' '], 'Expected words'],
  [['brake', 'on', '--reason', 'x', '--mode', 'stop'], 'finish-ring, finish-cells, cancel-cells'],
  [['brake', 'on', '--reason', 'x', '--outer', '--ring', '2'], 'cannot be used with'],
  [['brake', 'on', '--reason', 'x', '--cluster', '--version', VERSION], 'cannot be used with'],
  [['brake', 'on', '--reason', 'x', '--expires', 'tomorrow'], 'a time to come: 2h'],
  [['brake', 'on', '--reason', 'x', '--expires', '2026-12-23T10:14:00Z'], 'a time to come: 2h'],
  [['brake', 'on', '--reason', 'x', '--expires', '2026-12-24'], 'a time to come: 2h'],
  [['brake', 'on', '--reason', 'x', '--id', 'a b'], 'a brake id: 1 to 100 of'],
  [['brake', 'on', '--reason', 'x'.repeat(2001)], 'at most 2000 characters'],
  [['approve', VERSION], "required option '--ring <n>' not specified"],
  [['override', VERSION, '--ring', '2', '--reason', 'x'], "required option '--wait <kind>' not specified"],
  [['override', VERSION, '--ring', '2', '--reason', 'x', '--wait', 'brake'], 'Allowed choices are bake, health'],
  [['retry', '--ring', '2', VERSION, '--cells', 'a,B'], 'a cell id'],
  [['skip', 'Cell 1', '--version', VERSION, '--reason', 'x'], 'a cell id'],
  [['skip', 'cell-1', '--reason', 'x'], "required option '--version <version>' not specified"],
  [['check', '--ring', '0', VERSION, 'qa', 'ok'], 'Allowed choices are passed, failed'],
  [['abort', VERSION], "required option '--reason <text>' not specified"],
  [['restart', VERSION], "required option '--reason <text>' not specified"],
  [['cluster', 'apply'], "missing required argument 'file'"],
  [['cluster', 'apply', '/nowhere/topology.yaml'], '/nowhere/topology.yaml cannot be read: there is no such file'],
  [['cluster', 'apply', 'package.json'], 'cluster: found missing'],
  [['cluster', 'apply', 'topology.yaml', '--expect-revision', 'x'], 'a whole number from 0'],
  [['server', 'dev', '--port', '70000'], 'a port from 1 to 65535'],
];

describe('bad use', () => {
  it.each(bad)('%j ends with status 2, says what is expected, and asks nobody', async (argv, says) => {
    const { exit, stdout, stderr } = await run(argv);
    expect(stderr).toContain(says);
    expect([exit, stdout]).toEqual([2, '']);
  });

  it.each(bad)('%j with --json prints one document', async (argv) => {
    const { exit, stdout } = await run([...argv, '--json']);
    expect(exit).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'usage', exitStatus: 2 } });
  });
});

describe('a command that this version does not have', () => {
  it('says so', async () => {
    const { exit, stdout, stderr } = await run(['settings']);
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).toContain('settings is not in this version: docs/limits.md');
    const { error } = JSON.parse((await run(['settings', '--json'])).stdout);
    expect(error.message).toBe('settings is not in this version: docs/limits.md');
  });

  it('is another thing than a word that nobody knows', async () => {
    expect((await run(['frobnicate'])).stderr).not.toContain('not in this version');
  });
});

it('a watch of the cluster never ends, so it cannot be one JSON document', async () => {
  const { exit, stdout } = await run(['status', '--watch', '--json']);
  expect(exit).toBe(2);
  expect(JSON.parse(stdout).error.message).toContain('--watch of the cluster never ends');
});

describe('who asks', () => {
  const asked = async (argv: string[], env: Record<string, string>) => {
    const payloads: { by: string }[] = [];
    const approveRing = async (payload: { by: string }) => {
      payloads.push(payload);
      return { state: 'waiting', waitingFor: null };
    };
    await run(['approve', '--ring', '2', VERSION, ...argv], { rollout: () => ({ approveRing }) }, env);
    return payloads[0]?.by;
  };

  it('is the one named, then $CELLCTL_USER, $GITLAB_USER_LOGIN and $USER', async () => {
    const env = { CELLCTL_USER: 'a', GITLAB_USER_LOGIN: 'b', USER: 'c' };
    expect(await asked(['--by', 'z'], env)).toBe('z');
    expect(await asked([], env)).toBe('a');
    expect(await asked([], { ...env, CELLCTL_USER: '' })).toBe('b');
    expect(await asked([], { CELLCTL_USER: '', USER: 'c' })).toBe('c');
  });
});

describe('a package', () => {
  it('may be a pasted tag', async () => {
    const versions: string[] = [];
    const rollout = (version: string) => {
      versions.push(version);
      return { status: async () => ({}) };
    };
    await run(['status', '17.10.202503180906+6a387d336a7.c1c3e017782'], { rollout });
    expect(versions).toEqual([VERSION]);
  });
});
