/** Reads of input that nobody has validated yet: what does not have the shape asked for is empty. */

export const asObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** The rings of a written topology, with the path of each. */
export const ringsOf = (input: unknown): { path: string; ring: Record<string, unknown> }[] =>
  asList(asObject(input).rings).map((ring, i) => ({ path: `rings[${i}]`, ring: asObject(ring) }));

/** The cells of all rings, with the path of each. */
export const cellsOf = (input: unknown): { path: string; cell: Record<string, unknown> }[] =>
  ringsOf(input).flatMap(({ path, ring }) =>
    asList(ring.cells).map((cell, i) => ({ path: `${path}.cells[${i}]`, cell: asObject(cell) })),
  );

/** Every policy that is written, the lanes' included, with the path of each. */
export const policiesOf = (input: unknown): { path: string; policy: Record<string, unknown> }[] => {
  const top = asObject(input);
  return [
    { path: 'policy', policy: asObject(top.policy) },
    ...Object.entries(asObject(top.lanes)).map(([name, lane]) => ({ path: `lanes.${name}`, policy: asObject(lane) })),
    ...ringsOf(input).map(({ path, ring }) => ({ path: `${path}.policy`, policy: asObject(ring.policy) })),
  ];
};

/** Every health section that is written, with the path of each. */
export const healthsOf = (input: unknown): { path: string; health: Record<string, unknown> }[] => [
  { path: 'health', health: asObject(asObject(input).health) },
  ...ringsOf(input).map(({ path, ring }) => ({ path: `${path}.health`, health: asObject(ring.health) })),
];
