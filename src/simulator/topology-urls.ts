/** Where the simulator serves the endpoints of one cell. */
export const simulatedCellUrl = (baseUrl: string, cell: string): string =>
  `${baseUrl.replace(/\/+$/, '')}/cells/${encodeURIComponent(cell)}`;

interface WithCells {
  rings: readonly { cells?: readonly { id: string }[] | null | undefined }[];
}

/** The same topology with every cell's address at the simulator that listens at `baseUrl`; the input stays as it is. */
export function withSimulatorUrls<T extends WithCells>(topology: T, baseUrl: string): T {
  const rings = topology.rings.map((ring) =>
    ring.cells
      ? { ...ring, cells: ring.cells.map((cell) => ({ ...cell, url: simulatedCellUrl(baseUrl, cell.id) })) }
      : ring,
  );
  return { ...topology, rings };
}
