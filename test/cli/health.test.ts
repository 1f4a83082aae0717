import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { Session } from '../../src/cli/session.js';
import type { Environment } from '../../src/config/temporal-cli.js';
import { fleet, V0, V1 } from '../support/fleet.js';
import { newWorld, type World } from '../support/world.js';
import type { Ran } from './harness.js';

/** By a pattern: a day takes ten minutes here, so the recording rules of five minutes look back for two seconds. */
const series = (name: string) => `{__name__=~"${name}.+",cell="{{cell}}",type="webservice"}`;
const errors = { query: series('gitlab_service_errors:ratio_'), worse: 'higher', slo: 0.005, zScore: 3 };
const traffic = { query: series('gitlab_service_ops:rate_'), worse: 'both', zScore: 6 };
const deployment = 'min(gitlab_deployment_health:service{env="gprd",stage="main"})';

function topology(): Record<string, unknown> {
  const written = fleet({ 2: 4 }) as { rings: Record<string, unknown>[] };
  const ofLegacy = { signals: { deployment: { query: deployment, worse: 'lower', min: 1 } } };
  return {
    ...written,
    rings: written.rings.map((ring) => (ring.ring === 1 ? { ...ring, health: ofLegacy } : ring)),
    health: {
      window: '20s',
      baseline: '10m',
      interval: '1s',
      minSamples: 3,
      // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
      quiet: { signal: 'traffic', below: 0.001, for: '3s', then: 'smoke-tests' },
      signals: { errors, traffic },
    },
  };
}

let world: World;
beforeAll(async () => {
  world = await newWorld({ topology: topology(), simulator: { durationMs: 50, spread: 0, dayMs: 600_000 } });
  await world.apply();
  await world.fault([
    { kind: 'error-burst', cell: 'c2-2', size: 1 },
    { kind: 'missing-series', cell: 'c2-3', signals: ['errors'] },
  ]);
});
afterAll(() => world?.close());

/** A command against a real cluster; only the connection is the test's own. */
async function cellctl(argv: string[], more: Environment = {}): Promise<Ran> {
  const out = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      out[stream] += text;
    },
  });
  const exit = await main(argv, {
    env: { AMP_URL: world.simulator.url, PROMETHEUS_URL: world.simulator.url, ...more },
    stdout: into('stdout'),
    stderr: into('stderr'),
    now: Date.now,
    connect: async () => ({ cells: world.cells, close: async () => {} }) as unknown as Session,
    interrupted: () => new Promise(() => {}),
  });
  return { exit, ...out };
}

const health = async (...argv: string[]) => JSON.parse((await cellctl(['health', ...argv, '--json'])).stdout);

/** The document once its verdict is this one. */
const judged = (verdict: string, ...argv: string[]) =>
  world.until(`${argv.join(' ')} to be ${verdict}`, async () => {
    const document = await health(...argv);
    return document.verdict === verdict && document;
  });

/** What somebody else orders at AMP, once it is done. */
async function ordered(cell: string, kind: string): Promise<void> {
  const response = await fetch(`${world.simulator.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `test/${cell}/${kind}` },
    body: JSON.stringify({
      tenant: `t-${cell}`,
      kind,
      version: V1,
      scope: 'application',
      post_deploy_migrations: 'skip',
    }),
  });
  const { id } = (await response.json()) as { id: string };
  await world.until(`job ${id}`, async () => (await world.jobs()).some((j) => j.id === id && j.state === 'succeeded'));
}

describe('cellctl health', () => {
  it('of a cell shows verdict, evidence and each signal', async () => {
    // So few samples may look bad by chance, for a moment.
    const { exit, stdout } = await world.until('c2-1 to be healthy', async () => {
      const ran = await cellctl(['health', 'c2-1']);
      return ran.stdout.startsWith('c2-1  healthy  ring 2 ring-2\n') && ran;
    });
    expect(exit).toBe(0);
    expect(stdout.split('\n')[1]).toContain(`runs ${V0} · measured`);
    expect(stdout).toMatch(/^errors +burn-rate +healthy +[\d.e-]+ +0\.005 +[\d.]+ +\S+ – \S+ +\d+$/m);
    expect(stdout).toMatch(/^errors +[▁-█]{24} +[▁-█]{12} +\S+ +\S+$/m);
  });

  it('of a ring names the cell with the fault and the one without measurements', async () => {
    const document = await judged('unhealthy', '--ring', '2');
    expect(document).toMatchObject({ ring: 2, name: 'ring-2', package: V0, scope: 'local' });
    const verdicts = document.cells.map(({ cell, verdict }: { cell: string; verdict: string }) => [cell, verdict]);
    expect(Object.fromEntries(verdicts)).toMatchObject({ 'c2-2': 'unhealthy', 'c2-3': 'inconclusive' });
    const { exit, stdout } = await cellctl(['health', '--ring', '2']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^ring 2 ring-2 {2}unhealthy \(local\)$/m);
    expect(stdout).toMatch(/^c2-2 +errors +\S+ +unhealthy/m);
    expect(stdout).toMatch(/^c2-3 +errors +data +inconclusive/m);
    expect(stdout).toMatch(/^4 cells +errors +[▁-█·]{24}/m);
  });

  it('judges what other tools deploy by the signals of its own ring', async () => {
    const document = await judged('healthy', '--ring', '1');
    expect(document.cells).toEqual([expect.objectContaining({ cell: 'legacy', readiness: 'unasked' })]);
    expect(await health('legacy')).toMatchObject({
      verdict: 'healthy',
      evidence: [{ signal: 'deployment', rule: 'min', threshold: 1 }],
    });
  });

  it('judges a cell that was deployed to just now by nothing that was measured before', async () => {
    await ordered('c2-4', 'configure');
    const { package: seen, deployedAtMs, evidence } = await health('c2-4');
    expect(seen).toBe(V1);
    const measured = evidence.filter(({ signal }: { signal: string | null }) => signal !== null);
    expect(measured.length).toBeGreaterThan(0);
    for (const { fromMs } of measured) expect(fromMs).toBeGreaterThanOrEqual(deployedAtMs);
  });

  it('takes the smoke tests that AMP ran on a quiet cell', async () => {
    expect((await cellctl(['health', 'qa'])).stdout).toMatch(/^qa {2}healthy \(quiet\) {2}ring 0 qa$/m);
    await ordered('qa', 'configure');
    expect(await health('qa')).toMatchObject({ verdict: 'inconclusive' });
    await ordered('qa', 'smoke_tests');
    const { quiet, sentence } = await judged('healthy', 'qa');
    expect({ quiet, sentence }).toMatchObject({ quiet: true, sentence: expect.stringMatching(/smoke tests passed$/) });
  });

  it.each([
    [['c2-9'], 'cell: found c2-9, expected a cell of the topology, such as c2-1'],
    [['--ring', '7'], 'ring: found 7, expected a ring of the topology: 0, 1, 2'],
  ])('of %j, which is not there, ends with 1', async (argv, says) => {
    const ran = await cellctl(['health', ...argv]);
    expect([ran.exit, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toContain(says);
  });

  it.each<[string[], Environment, string]>([
    [['c2-1'], { PROMETHEUS_URL: '' }, 'PROMETHEUS_URL: found (not set)'],
    [['--ring', '2'], { AMP_URL: undefined }, 'AMP_URL: found (not set)'],
    [[], {}, 'cellctl health --ring 2'],
    [['c2-1', '--ring', '2'], {}, 'cellctl health --ring 2'],
  ])('%j on %j is wrong use: status 2, and what to set or type', async (argv, env, says) => {
    const ran = await cellctl(['health', ...argv], env);
    expect([ran.exit, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(says);
  });

  it.each([
    ['PROMETHEUS_URL', 'check PROMETHEUS_URL'],
    ['AMP_URL', 'check AMP_URL'],
  ])('where nobody answers at %s ends with 1, and never with a verdict', async (variable, says) => {
    const ran = await cellctl(['health', 'c2-1'], { [variable]: 'http://127.0.0.1:1' });
    expect([ran.exit, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toContain(says);
  });
});

describe('cellctl health report', () => {
  it('says how to have something to report', async () => {
    const { exit, stdout } = await cellctl(['health', 'report']);
    expect(exit).toBe(0);
    expect(stdout).toContain('mode: shadow');
  });

  it('has every number for machines', async () => {
    const { stdout } = await cellctl(['health', 'report', '--json', '--limit', '5']);
    expect(JSON.parse(stdout)).toEqual({
      cases: [],
      goodStopped: { of: 0, count: 0 },
      badMissed: { of: 0, count: 0 },
      unread: 0,
    });
  });
});
