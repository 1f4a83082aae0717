// Runs one command and outlives its parent by a moment: when the channel to the parent closes, however the parent ended,
// it stops the command and removes the temporary folder. Arguments: the folder to remove or '', the command, its arguments.
const { spawn } = require('node:child_process');
const { rmSync } = require('node:fs');

const STOP_TIMEOUT_MS = 5000;
const [temporaryFolder = '', command = '', ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
let ended = false;
let stopping = false;

/** @param {object} message */
function tell(message) {
  if (process.connected) process.send?.(message, () => {});
}

function leave() {
  if (temporaryFolder) rmSync(temporaryFolder, { recursive: true, force: true });
  process.exit(0);
}

function stop() {
  if (ended) leave();
  if (stopping) return;
  stopping = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS).unref();
}

child.on('spawn', () => tell({ pid: child.pid }));
child.on('error', (error) => {
  // One that never started never exits either.
  if (child.pid === undefined) ended = true;
  tell({ error: error.message });
});
child.on('exit', (code, signal) => {
  ended = true;
  tell({ ended: { code, signal } });
  if (stopping || !process.connected) leave();
});
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
