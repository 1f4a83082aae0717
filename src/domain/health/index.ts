export * from './policy.js';
export * from './template.js';
