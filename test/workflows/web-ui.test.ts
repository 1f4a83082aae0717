import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { graduate, jobsSeen, scenario, seen } from './support.js';

interface Metadata {
  currentDetails: string;
  definition: Record<'queryDefinitions' | 'signalDefinitions' | 'updateDefinitions', Described[]>;
}

interface Described {
  name: string;
  description?: string;
}

const metadataOf = (world: World, id: string): Promise<Metadata> =>
  world.client.workflow.getHandle(id).query<Metadata>('__temporal_workflow_metadata');

/** What the Web UI's list and heading show of a run. */
async function headingOf(world: World, id: string): Promise<Record<string, unknown>> {
  const run = await world.client.workflow.getHandle(id).describe();
  const { CellsVersion, CellsRing, CellsCell, CellsState } = run.searchAttributes;
  const attributes = { CellsVersion, CellsRing, CellsCell, CellsState };
  return { summary: await run.staticSummary(), ...Object.fromEntries(Object.entries(attributes).filter(([, v]) => v)) };
}

scenario(
  'the Web UI alone tells what is going on, and what it waits for',
  { rings: { 2: 2 }, policies: { 2: { deployTimeout: '10m' } } },
  async (world) => {
    await world.deploy(V1);
    await world.fault({ kind: 'slow', jobKind: 'configure', factor: 2_400 });
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell === 'c2-1' && j.state === 'running'));
    await seen(world, V1, (status) => status.rings.some((r) => r.ring === 2 && r.inFlight === 1));
    const rollout = `package-rollout/${V1}`;
    const ids = ['cell-cluster', rollout, 'ring-rollout/2', 'cell-rollout/c2-1'];

    const [cluster, package_, ring, cell] = await Promise.all(ids.map((id) => headingOf(world, id)));
    expect(cluster).toMatchObject({ summary: expect.any(String) });
    expect(package_).toMatchObject({ CellsVersion: [V1], CellsRing: [2], CellsState: ['rolling-out'] });
    expect(ring).toMatchObject({ CellsVersion: [V1], CellsRing: [2], CellsState: ['rolling'] });
    expect(cell).toMatchObject({ CellsVersion: [V1], CellsRing: [2], CellsCell: ['c2-1'] });
    for (const heading of [package_, ring, cell]) expect(heading?.summary).toContain(V1);

    const told = await Promise.all(ids.map((id) => metadataOf(world, id)));
    const [ofCluster, ofPackage, ofRing, ofCell] = told.map(({ currentDetails }) => currentDetails);
    expect(ofCluster).toContain(V1);
    expect(ofPackage).toMatch(/ring.*2/i);
    expect(ofRing).toContain('rolling');
    expect(ofCell).toContain('deploying');

    // Whoever opens a run finds every message with a sentence about it.
    const messages = told.flatMap(({ definition }) => messagesIn(definition));
    expect(messages.length).toBeGreaterThan(30);
    expect(messages.filter(({ description }) => !description)).toEqual([]);

    const { brakeId } = await world.cells.cluster().engageBrake({ by: 'alice', reason: 'look at it', scope: 'outer' });
    await seen(world, V1, (status) => status.state === 'braked');
    expect((await metadataOf(world, rollout)).currentDetails).toContain(brakeId);
    await world.clearFaults();
  },
);

function messagesIn({ queryDefinitions, signalDefinitions, updateDefinitions }: Metadata['definition']): Described[] {
  const all = [...queryDefinitions, ...signalDefinitions, ...updateDefinitions];
  return all.filter(({ name }) => !name.startsWith('__'));
}
