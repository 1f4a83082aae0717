import { join } from 'node:path';
import { type Daemon, startDaemon } from './daemon.js';

/** An alert as Alertmanager's v2 API shows it; one that is resolved is not shown. */
export interface ShownAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  fingerprint: string;
  generatorURL?: string;
  status: { state: 'active' | 'suppressed' | 'unprocessed' };
}

export interface Alertmanager extends Daemon {
  alerts(): Promise<ShownAlert[]>;
}

/** Alerts reach nobody: they are only kept and shown. */
const CONFIG = {
  route: { receiver: 'nobody', group_wait: '0s', group_interval: '1s', repeat_interval: '1h' },
  receivers: [{ name: 'nobody' }],
};

/** An Alertmanager of the test's own, ready to be told and asked. */
export async function startAlertmanager(config: object = CONFIG): Promise<Alertmanager> {
  const daemon = await startDaemon({
    command: 'prometheus-alertmanager',
    // JSON is YAML.
    files: { 'alertmanager.yml': JSON.stringify(config) },
    args: (folder, address) => [
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    readyPath: '/-/ready',
  });
  const alerts = async () => (await (await fetch(`${daemon.url}/api/v2/alerts`)).json()) as ShownAlert[];
  return { ...daemon, alerts };
}
