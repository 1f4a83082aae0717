import { holdLock } from '../../src/ledger/lock.js';

/** Holds the lock of the file named until it is killed. */
const [file = ''] = process.argv.slice(2);
const said = await holdLock(file).then(
  () => 'held',
  (error: Error) => error.name,
);
process.stdout.write(`${said}\n`);
setInterval(() => {}, 60_000);
