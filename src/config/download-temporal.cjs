// Arguments: the path of the SDK's testing package, a folder, a version. The SDK downloads its server's binary
// into the folder, and starts it once, before it answers.
const [sdk = '', downloadDir = '', version = ''] = process.argv.slice(2);
const { TestWorkflowEnvironment } = require(sdk);

TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir, version, ttl: '10y' } },
})
  .then((/** @type {{ teardown(): Promise<void> }} */ environment) => environment.teardown())
  .catch((/** @type {Error} */ error) => {
    process.stderr.write(`${error.message.replaceAll('\n', ' ')}\n`);
    process.exit(1);
  });
