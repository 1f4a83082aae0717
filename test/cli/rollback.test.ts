import { describe, expect, it } from 'vitest';
import { RejectedError, TimedOutError } from '../../src/client/index.js';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { run, VERSION } from './harness.js';
import { rolloutStatus } from './statuses.js';

const EARLIER = '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0';

const status = (more: Partial<PackageRollbackStatus> = {}): PackageRollbackStatus => ({
  ...rolloutStatus(),
  state: 'rolled-back',
  waitingFor: null,
  rings: [],
  needsDowntime: [],
  finishedAt: '2026-12-23T10:14:00Z',
  by: 'ann',
  reason: 'INC-4711',
  plan: [],
  ...more,
});

interface Answers {
  started?: boolean[];
  result?: PackageRollbackStatus | Error;
  status?: PackageRollbackStatus;
}

/** Runs `cellctl rollback` against a client that is made up; answers what it started, too. */
async function rollback(argv: string[], { started = [true], result = status(), status: now = status() }: Answers = {}) {
  const asked: [string, unknown][] = [];
  const told = (name: string) => async (payload: unknown) => {
    asked.push([name, payload]);
    return name === 'start' ? (started.shift() ?? true) : status();
  };
  const client = {
    start: told('start'),
    abort: told('abort'),
    skipCell: told('skipCell'),
    status: async () => now,
    result: async () => {
      if (result instanceof Error) throw result;
      return result;
    },
  };
  const ran = await run(['rollback', VERSION, '--reason', 'INC-4711', ...argv], { rollback: () => client });
  return { ...ran, asked };
}

const who = { by: 'ann', reason: 'INC-4711' };
const stay = {
  cell: 'cell-4',
  state: 'failed' as const,
  reason: 'rollback needs downtime',
  needsDowntime: true as const,
};

describe('cellctl rollback', () => {
  it.each([
    [[], who],
    [['--ring', '0', '--no-block'], { ring: 0, block: false, ...who }],
    [['--dry-run'], { dryRun: true, ...who }],
    [
      ['--allow-downtime', 'cell-4', 'cell-8', '--to-blocked'],
      { allowDowntime: ['cell-4', 'cell-8'], toBlocked: true, ...who },
    ],
    [['--allow-downtime', 'cell-4,cell-8'], { allowDowntime: ['cell-4', 'cell-8'], ...who }],
  ])('%j asks for %j', async (argv, order) => {
    expect((await rollback(argv)).asked).toEqual([['start', order]]);
  });

  it.each([
    ['every cell has left', status(), 0],
    ['a cell stays for want of a decision', status({ needsDowntime: [stay] }), 1],
    ['some could not', status({ state: 'aborted' }), 1],
  ])('--wait, when %s, ends so', async (_what, result, exit) => {
    const ran = await rollback(['--wait'], { result, status: result });
    expect(ran.exit).toBe(exit);
    expect(ran.stdout).toContain(`rollback of ${VERSION}`);
  });

  it('without --wait says how to follow it, unless it was refused at once', async () => {
    const goesOn = await rollback([], { result: new TimedOutError(1_500, 'not yet') });
    expect([goesOn.exit, goesOn.stdout]).toEqual([0, expect.stringContaining(`cellctl status ${VERSION} --watch`)]);
    const rejected = [
      { at: '2026-12-23T10:14:00Z', message: 'rollback', path: 'version', value: VERSION, expected: 'x' },
    ];
    expect((await rollback([], { result: status({ state: 'aborted', rejected }) })).exit).toBe(1);
  });

  it('a dry run says what would go where, and what stays', async () => {
    const ring = { ring: 3, name: 'everyone', cells: 3, targets: { [EARLIER]: 2 }, stays: [stay], staysTotal: 1 };
    const result = status({ dryRun: true, state: 'waiting', plan: [{ ...ring, underWay: 1, unknown: 0 }] });
    const { exit, stdout } = await rollback(['--dry-run'], { result });
    expect(exit).toBe(0);
    expect(stdout).toContain('dry run');
    expect(stdout).toContain('3 everyone  3 run it, 1 under way');
    expect(stdout).toContain(`2 → ${EARLIER}`);
    expect(stdout).toContain('cell-4 stays: rollback needs downtime');
  });

  describe('where cells stay for want of a decision says what to type', () => {
    const down = `cellctl rollback ${VERSION} --allow-downtime cell-4 cell-8 --reason "…"`;
    const two = [stay, { ...stay, cell: 'cell-8' }];
    const other = { cell: 'cell-9', state: 'failed' as const, reason: 'what it ran before is unknown' };

    it('when it has ended', async () => {
      const result = status({ needsDowntime: two });
      expect((await rollback(['--wait'], { result, status: result })).stdout).toContain(`→ ${down}\n`);
    });

    it('as it was asked for', async () => {
      const result = status({ needsDowntime: two, ring: 0, block: false });
      const again = `cellctl rollback ${VERSION} --ring 0 --no-block --allow-downtime cell-4 cell-8 --reason "…"`;
      expect((await rollback(['--wait'], { result, status: result })).stdout).toContain(`→ ${again}\n`);
    });

    it('when it is only asked what it would do', async () => {
      const ring = { ring: 3, name: 'everyone', cells: 3, targets: {}, stays: [...two, other], staysTotal: 3 };
      const result = status({ dryRun: true, plan: [{ ...ring, underWay: 0, unknown: 0 }] });
      expect((await rollback(['--dry-run'], { result })).stdout).toContain(`→ ${down}\n`);
    });

    it('and nothing while it goes on, or where no downtime would help', async () => {
      const of = async (result: PackageRollbackStatus) => (await rollback(['--wait'], { result })).stdout;
      expect(await of(status({ needsDowntime: two, finishedAt: null }))).not.toContain('--allow-downtime');
      const plan = [
        { ...{ ring: 3, name: 'c', cells: 1, targets: {}, underWay: 0, unknown: 0 }, stays: [other], staysTotal: 1 },
      ];
      expect(await of(status({ dryRun: true, plan }))).not.toContain('--allow-downtime');
    });
  });

  it('is not kept from its work by somebody who only asks what it would do', async () => {
    const dry = status({ dryRun: true, state: 'rolling-back', finishedAt: null });
    const { asked, stderr } = await rollback([], { started: [false, true], status: dry });
    expect(asked.map(([name]) => name)).toEqual(['start', 'start']);
    expect(stderr).toBe('');
  });

  it('joins one that is under way, and says so', async () => {
    const { exit, stderr } = await rollback(['--wait'], { started: [false] });
    expect([exit, stderr]).toEqual([0, expect.stringContaining('under way already')]);
  });

  it.each([
    [['--stop'], 'abort', who],
    [['--skip', 'cell-8'], 'skipCell', { cell: 'cell-8', ...who }],
  ])('%j speaks to the one that is under way', async (argv, name, payload) => {
    expect((await rollback(argv)).asked).toEqual([[name, payload]]);
  });

  it.each([[['--stop', '--dry-run']], [['--timeout', '2h']], [['--allow-downtime', 'Cell 8']]])(
    '%j is wrong use',
    async (argv) => {
      const { exit, asked } = await rollback(argv);
      expect([exit, asked]).toEqual([2, []]);
    },
  );

  it('shows beside the rollout, and by itself where nobody rolled the package out', async () => {
    const rollbackOf = () => ({ status: async () => status() });
    const both = { rollout: () => ({ status: async () => rolloutStatus() }), rollback: rollbackOf };
    expect((await run(['status', VERSION], both)).stdout).toContain(`rollback of ${VERSION}`);
    const { NotFoundError } = await import('../../src/client/index.js');
    const gone = (error: Error) => ({
      rollout: () => ({ status: async () => Promise.reject(error) }),
      rollback: rollbackOf,
    });
    expect((await run(['status', VERSION], gone(new NotFoundError('x', false)))).stdout).toContain('by ann: INC-4711');
    expect((await run(['status', VERSION], gone(new RejectedError([])))).exit).toBe(1);
  });
});
