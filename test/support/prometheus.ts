import { join } from 'node:path';
import { type Daemon, startDaemon } from './daemon.js';

/** Cells of a simulator to scrape. */
export interface ScrapedCells {
  simulator: string;
  cells: readonly string[];
}

export interface PrometheusOptions {
  scrapes: readonly ScrapedCells[];
  scrapeIntervalMs?: number;
}

export type Prometheus = Daemon;

/** A Prometheus of the test's own that scrapes cells, ready to be asked; what it has scraped comes with time. */
export function startPrometheus({ scrapes, scrapeIntervalMs = 1000 }: PrometheusOptions): Promise<Prometheus> {
  return startDaemon({
    command: 'prometheus',
    // JSON is YAML.
    files: { 'prometheus.yml': JSON.stringify(configOf(scrapes, scrapeIntervalMs)) },
    args: (folder, address) => [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    readyPath: '/-/ready',
  });
}

function configOf(scrapes: readonly ScrapedCells[], intervalMs: number): object {
  const targets = scrapes.flatMap(({ simulator, cells }) =>
    cells.map((cell) => ({
      targets: [new URL(simulator).host],
      labels: { __metrics_path__: `/cells/${cell}/metrics`, instance: cell },
    })),
  );
  const interval = `${intervalMs}ms`;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval },
    scrape_configs: [{ job_name: 'cells', static_configs: targets }],
  };
}
