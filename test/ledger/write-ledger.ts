import { openEmbedded } from '../../src/ledger/embedded.js';
import { entry } from './entries.js';

/** Writes to the ledger in the folder named until it is killed, and says what it was told to be written. */
const [folder = ''] = process.argv.slice(2);
const store = await openEmbedded(folder);
for (let at = 0; ; at += 1) {
  const written = entry(at);
  await store.write([written]);
  process.stdout.write(`${written.id}\n`);
}
