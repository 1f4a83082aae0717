import { setTimeout as sleep } from 'node:timers/promises';
import { type CellsClient, RejectedError } from '../../src/client/index.js';
import { withSimulatorUrls } from '../../src/simulator/topology-urls.js';
import type { Stage } from '../support/stage.js';
import type { Happening, Release } from './almanac.js';
import type { Diary } from './diary.js';
import type { SimulatorClient } from './simulator.js';
import type { SimulatedTime } from './time.js';
import { type Town, topologyOf } from './town.js';

/** Ring 0 is asked for so long, in simulated hours; then release-tools gives the package up. */
const RING_0_H = 60;
const TRIES = 4;
const AGAIN_H = 4;

export interface LifeOptions {
  stage: Stage;
  /** Records what it is asked. */
  cells: CellsClient;
  simulator: SimulatorClient;
  time: SimulatedTime;
  town: Town;
  diary: Diary;
  say: (line: string) => void;
}

/** Lets happen what the almanac says, each thing at its hour, whatever becomes of those before it. */
export class Life {
  readonly #underWay = new Set<Promise<void>>();
  #newest: string | null = null;
  /** Topologies are written one after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly options: LifeOptions) {}

  async live(almanac: readonly Happening[]): Promise<void> {
    const { time, diary } = this.options;
    for (const happening of almanac) {
      await sleep(Math.max(0, time.at(happening.day, happening.hour) - Date.now()));
      this.#start(happening.what, this.#happen(happening));
    }
    await Promise.all(this.#underWay);
    if (almanac.length === 0) diary.trouble('almanac', new Error('nothing happens'));
  }

  /** The topology as it stands, with the cells' addresses. */
  topology(): ReturnType<typeof topologyOf> {
    const { town, time, stage } = this.options;
    return withSimulatorUrls(topologyOf(town, time), stage.ampUrl);
  }

  #start(what: string, doing: Promise<void>): void {
    const done = doing
      .catch((error: unknown) => this.options.diary.trouble(what, error))
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #happen(happening: Happening): Promise<void> {
    const { stage, cells, town, time } = this.options;
    switch (happening.what) {
      case 'release':
        return await this.release(happening);
      case 'fault':
        return await this.#fault(happening.fault, happening.hours);
      case 'brake':
        return await this.#brake(happening);
      case 'quarantine': {
        const expiresAt = new Date(Date.now() + Math.max(2_000, time.realOf(happening.hours))).toISOString();
        const { cell } = happening;
        const words = { cell, by: 'carol', reason: 'being rebuilt', expiresAt };
        return void (await this.#surely('quarantineCell', () => cells.cluster().quarantineCell(words)));
      }
      case 'join':
        return await this.#join(happening.cell, happening.ring);
      case 'leave':
        town.rings[happening.ring] = (town.rings[happening.ring] ?? []).filter((cell) => cell !== happening.cell);
        return await this.apply();
      case 'freeze': {
        const { fromDay, toDay, reason } = happening;
        const ahead = town.freezes.filter(({ to }) => Date.parse(to) > Date.now());
        town.freezes = [...ahead, { from: time.instant(fromDay), to: time.instant(toDay), reason }];
        return await this.apply();
      }
      case 'rollback':
        return await this.#takeBack();
      case 'worker-dies':
        return await stage.crashWorker();
      case 'server-dies':
        return await stage.crashServer();
    }
  }

  /** A cell is built with what its ring runs by then: of what is older the upgrade path may forbid the newest. */
  async #join(cell: string, ring: number): Promise<void> {
    const { cells, simulator, town } = this.options;
    const { rings } = await this.#surely('status', () => cells.cluster().status());
    const version = rings.find((one) => one.ring === ring)?.converged;
    if (version) await simulator.addFault({ kind: 'changed-by-hand', cell, version, migratedVersion: version });
    town.rings[ring]?.push(cell);
    await this.apply();
  }

  /** Puts the topology into force as it stands by now. */
  apply(): Promise<void> {
    const { cells } = this.options;
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        const topology = this.topology();
        const order = { topology, by: 'dave', allowRemoval: true };
        await this.#surely('applyTopology', () => cells.cluster().applyTopology(order));
      });
    return this.#writing;
  }

  /** A package comes: ring 0 first, then it graduates, whatever ring 0 made of it. */
  async release({ version, urgent, preempt, bad }: Release): Promise<void> {
    const { cells, simulator, diary, time } = this.options;
    if (bad) await simulator.addFault(bad);
    const rollout = cells.rollout(version);
    const fixes = urgent ? { fixes: 'INC-1' } : {};
    const order = { ring: 0, by: 'release-tools', ...fixes };
    await this.#fixed(version);
    const asked = await this.#surely('deployRing', () => rollout.deployRing(order));
    const ring0 = await asked.answer(time.realOf(RING_0_H));
    const released = { atMs: Date.now(), version, urgent, bad: bad !== undefined, ring0: ring0.code ?? ring0.outcome };
    if (ring0.blocking && ring0.outcome !== 'converged') {
      diary.releases.push({ ...released, graduated: false });
      return;
    }
    const lane = urgent ? { lane: 'urgent', ...(preempt ? { preempt } : {}) } : {};
    try {
      await this.#surely('graduate', () => rollout.graduate({ by: 'release-tools', ...lane }));
      this.#newest = version;
      diary.releases.push({ ...released, graduated: true });
    } catch (error) {
      diary.releases.push({ ...released, graduated: false });
      throw error;
    }
  }

  /** The first package after one that was taken back is the one that it is fixed in. */
  async #fixed(fixedIn: string): Promise<void> {
    const cluster = this.options.cells.cluster();
    const { blocked } = await this.#surely('status', () => cluster.status());
    for (const { version } of blocked.filter((block) => block.fixedIn === undefined)) {
      const words = { version, fixedIn, by: 'erin', reason: 'reverted' };
      await this.#surely('blockVersion', () => cluster.blockVersion(words));
    }
  }

  async #takeBack(): Promise<void> {
    const version = this.#newest;
    if (version === null) return;
    const words = { by: 'erin', reason: 'customers report lost comments' };
    await this.#surely('rollback', () => this.options.cells.rollback(version).start(words));
  }

  async #brake({ brakeId, scope, mode, hours, expires }: Extract<Happening, { what: 'brake' }>): Promise<void> {
    const { cells, time } = this.options;
    const heldMs = Math.max(1_500, time.realOf(hours));
    const words = { brakeId, scope, mode, by: 'bob', reason: 'an incident' };
    const end = expires ? { expiresAt: new Date(Date.now() + heldMs).toISOString() } : {};
    await this.#surely('engageBrake', () => cells.cluster().engageBrake({ ...words, ...end }));
    if (expires) return;
    await sleep(heldMs);
    const over = { brakeId, by: 'bob', reason: 'the incident is over' };
    await this.#surely('releaseBrake', () => cells.cluster().releaseBrake(over));
  }

  async #fault(fault: object, hours: number | undefined): Promise<void> {
    const { simulator, time } = this.options;
    const id = await simulator.addFault(fault);
    if (hours === undefined) return;
    await sleep(time.realOf(hours));
    await simulator.removeFault(id);
  }

  /** Who cannot reach Temporal, or a worker, tries again; who is refused does not. */
  async #surely<T>(what: string, act: () => Promise<T>): Promise<T> {
    const { diary, time } = this.options;
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        return await act();
      } catch (error) {
        diary.trouble(what, error);
        if (error instanceof RejectedError || left === 0) throw new Error(`${what} was given up`, { cause: error });
        await sleep(time.realOf(AGAIN_H));
      }
    }
  }
}
