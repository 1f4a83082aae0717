import { type EmbeddedServer, startEmbeddedServer } from '../../src/config/embedded-server.js';

/** Where one cell cluster can live, with nobody else in it. */
export interface ClusterPlace {
  address: string;
  namespace: string;
}

/**
 * A server's work for a task grows with the namespaces that were in use, by its own metrics. Namespaces are made at its
 * start: made later, their search attributes would take ten seconds each.
 */
const NAMESPACES = 24;

interface Server {
  started: Promise<EmbeddedServer>;
  claimed: number;
  inUse: number;
}

let newest: Server | null = null;

/** A namespace that nobody had, on a server of this process; the server ends when all of its own were given back. */
export async function claimPlace(): Promise<ClusterPlace & { giveBack(): Promise<void> }> {
  if (newest === null || newest.claimed === NAMESPACES) newest = { started: start(), claimed: 0, inUse: 0 };
  const server = newest;
  const namespace = `t${server.claimed}`;
  server.claimed += 1;
  server.inUse += 1;
  const { address, stop } = await server.started.catch((error: unknown) => {
    // The next test tries another one.
    if (newest === server) newest = null;
    throw error;
  });
  const giveBack = async () => {
    server.inUse -= 1;
    if (server.inUse === 0 && server.claimed === NAMESPACES) await stop();
  };
  return { address, namespace, giveBack };
}

function start(): Promise<EmbeddedServer> {
  const extraArgs = Array.from({ length: NAMESPACES }, (_, i) => ['--namespace', `t${i}`]).flat();
  return startEmbeddedServer({ extraArgs, log: (line) => process.stderr.write(`${line}\n`) });
}
