export * from './cells.js';
export * from './changes.js';
export * from './parse.js';
export * from './policy.js';
export * from './schema.js';
