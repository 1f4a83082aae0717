/** Topologies and packages for tests: short durations, rings of any size. */

export const V0 = '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0';
export const V1 = '17.10.202503180906-6a387d336a7.c1c3e017782';
export const V2 = '17.10.202503190906-7b387d336a7.d1c3e017782';
export const V3 = '17.10.202503200906-8c387d336a7.e1c3e017782';

export type Policy = Record<string, unknown>;

export const QUICK: Policy = {
  bakeTime: '0s',
  gracePeriod: '0s',
  pollInterval: '1s',
  verifyTimeout: '2s',
  deployTimeout: '30s',
  cancelTimeout: '3s',
};

/**
 * A cluster with a soft QA ring 0, an external ring 1, and outer rings of the sizes given (`{2: 3, 3: 9}`).
 * `policies` are laid over the quick default, by ring.
 */
export function fleet(
  sizes: Record<number, number>,
  policies: Record<number, Policy> = {},
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const outer = Object.entries(sizes).map(([ring, cells]) => ({
    ring: Number(ring),
    name: `ring-${ring}`,
    policy: policies[Number(ring)] ?? {},
    cells: Array.from({ length: cells }, (_, i) => cell(`c${ring}-${i + 1}`)),
  }));
  const qa = {
    onFailure: 'soft',
    postDeployMigrations: 'with-deploy',
    downtimeRollback: 'allowed',
    deployToUnhealthy: true,
  };
  return {
    cluster: 'test',
    perimeter: 1,
    policy: QUICK,
    rings: [
      { ring: 0, name: 'qa', policy: { ...qa, ...policies[0] }, cells: [cell('qa')] },
      {
        ring: 1,
        name: 'main-stage',
        deployedBy: 'external',
        cells: [{ id: 'legacy', url: 'https://gitlab.example', observe: true }],
      },
      ...outer,
    ],
    ...more,
  };
}

export const cell = (id: string) => ({ id, tenant: `t-${id}`, url: `https://${id}.cells.example` });
