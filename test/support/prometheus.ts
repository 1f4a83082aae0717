import { execFileSync } from 'node:child_process';
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
  /** What it has in its past; `promtool` puts it there. */
  past?: readonly PastSample[];
}

/** A sample of a gauge: its name with labels, its value, epoch ms. */
export type PastSample = readonly [series: string, value: number, atMs: number];

export type Prometheus = Daemon;

/** A Prometheus of the test's own that scrapes cells, ready to be asked; what it has scraped comes with time. */
export function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { scrapes, scrapeIntervalMs = 1000, past = [] } = options;
  return startDaemon({
    command: 'prometheus',
    // JSON is YAML.
    files: { 'prometheus.yml': JSON.stringify(configOf(scrapes, scrapeIntervalMs)), past: openMetrics(past) },
    prepare: (folder) => {
      if (past.length > 0) execFileSync('promtool', [...BLOCKS, join(folder, 'past'), join(folder, 'data')]);
    },
    args: (folder, address) => [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    readyPath: '/-/ready',
  });
}

const BLOCKS = ['tsdb', 'create-blocks-from', 'openmetrics'];

/** Families must not be mixed. */
function openMetrics(past: readonly PastSample[]): string {
  const families = new Map<string, string[]>();
  for (const [series, value, atMs] of past) {
    const name = series.split('{')[0] ?? '';
    const family = families.get(name) ?? [`# TYPE ${name} gauge`];
    family.push(`${series} ${value} ${atMs / 1000}`);
    families.set(name, family);
  }
  return [...[...families.values()].flat(), '# EOF', ''].join('\n');
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
