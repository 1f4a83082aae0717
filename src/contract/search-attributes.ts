import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * The search attributes of the contract and their types. A server must know them before the first workflow sets one:
 * an unregistered attribute wedges the upsert for ever.
 */
export const SEARCH_ATTRIBUTES = {
  CellsVersion: 'KEYWORD',
  CellsRing: 'INT',
  CellsCell: 'KEYWORD',
  CellsState: 'KEYWORD',
} as const;

export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

export const SEARCH_ATTRIBUTE_NAMES = Object.keys(SEARCH_ATTRIBUTES) as SearchAttributeName[];

export const CELLS_VERSION = defineSearchAttributeKey('CellsVersion', SEARCH_ATTRIBUTES.CellsVersion);
/** Of a `PackageRollout`: the outermost ring that it entered. */
export const CELLS_RING = defineSearchAttributeKey('CellsRing', SEARCH_ATTRIBUTES.CellsRing);
export const CELLS_CELL = defineSearchAttributeKey('CellsCell', SEARCH_ATTRIBUTES.CellsCell);
export const CELLS_STATE = defineSearchAttributeKey('CellsState', SEARCH_ATTRIBUTES.CellsState);
