import { expect } from 'vitest';
import { cell, V0, V1, V2 } from '../support/fleet.js';
import { quarantine } from './quarantine-scene.js';
import { cellNow, ends, exceptionOf, expectRejected, graduate, scenario, theRing } from './support.js';

scenario(
  'a quarantined cell gets nothing, is counted and named, and comes back with the next package',
  { rings: { 2: 3 } },
  async (world) => {
    const cluster = world.cells.cluster();
    await quarantine(world, 'c2-2');
    await expectRejected(cluster.quarantineCell({ cell: 'nobody', by: 'alice', reason: 'x' }), 'cell');
    const { quarantined, acts } = await cluster.status();
    expect(quarantined).toMatchObject([{ cell: 'c2-2', by: 'alice', reason: 'being rebuilt' }]);
    expect(acts.filter(({ act }) => act === 'quarantineCell')).toHaveLength(1);
    await graduate(world, V1);
    const first = await ends(world, V1);
    expect(theRing(first, 2)).toMatchObject({ total: 3, converged: 2, quarantined: 1 });
    expect(exceptionOf(first, 2, 'c2-2')?.reason).toContain('being rebuilt');
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
    await cluster.readmitCell({ cell: 'c2-2', by: 'alice', reason: 'rebuilt' });
    await graduate(world, V2);
    expect(theRing(await ends(world, V2), 2)).toMatchObject({ converged: 3, quarantined: 0 });
  },
);

scenario(
  'a cell that joins a cluster which runs already is out until it is readmitted, or says join: auto',
  { rings: { 2: 2 } },
  async (world) => {
    await graduate(world, V1);
    await ends(world, V1);
    const topology = structuredClone(world.topology) as { rings: { ring: number; cells: object[] }[] };
    topology.rings.find(({ ring }) => ring === 2)?.cells.push(cell('n-1'), { ...cell('n-2'), join: 'auto' });
    await world.cells.cluster().applyTopology({ topology, by: 'bob' });
    const { quarantined } = await world.cells.cluster().status();
    expect(quarantined).toMatchObject([{ cell: 'n-1', by: 'coordinator' }]);
  },
);
