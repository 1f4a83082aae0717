import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { topologyJsonSchema } from './topology-json-schema.js';

/** Writes `topology.schema.json` at the root of the repository. */
const target = fileURLToPath(new URL('../../topology.schema.json', import.meta.url));
writeFileSync(target, `${JSON.stringify(topologyJsonSchema(), null, 2)}\n`);
console.log(`wrote ${target}`);
