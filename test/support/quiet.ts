import { DefaultLogger, Runtime } from '@temporalio/worker';

// The SDK's own lines about workers that come and go would hide the tests'. A process installs its runtime once.
Runtime.install({ logger: new DefaultLogger('ERROR') });
