import { expect } from 'vitest';
import type { PostableAlert } from '../../activities/ports.js';
import { FakeHttp, type Reply } from '../activities/fake-http.js';
import { lookUntil } from '../support/patience.js';
import type { World } from '../support/world.js';
import { type Scene, scenario } from './support.js';

/** What a world's Alertmanager was told. */
export class Told {
  private constructor(readonly server: FakeHttp) {}

  static async start(reply: Reply = {}): Promise<Told> {
    return new Told(await FakeHttp.start(() => reply));
  }

  get posted(): PostableAlert[] {
    return this.server.heard.flatMap(({ body }) => JSON.parse(body) as PostableAlert[]);
  }

  /** Names of the alerts that are up, with the cell or the brake that each is about; of those for both teams once. */
  get up(): string[] {
    const last = new Map(this.posted.map((alert) => [JSON.stringify(alert.labels), alert]));
    const firing = [...last.values()].filter(({ endsAt = '' }) => Date.parse(endsAt) > Date.now());
    const named = firing.map(({ labels: { alertname, cell, brake } }) =>
      [alertname, cell ?? brake ?? ''].join(' ').trim(),
    );
    return [...new Set(named)].sort();
  }

  async become(names: string[], timeoutMs = 40_000): Promise<void> {
    await lookUntil(async () => this.up.join() === names.join(), timeoutMs);
    expect(this.up).toEqual(names);
  }
}

/** A scenario whose alerts go to an Alertmanager's stand-in over HTTP. */
export function told(
  name: string,
  { reply, ...scene }: Scene & { reply?: Reply },
  body: (world: World, alerts: Told) => Promise<void>,
): void {
  const started: { alerts?: Told } = {};
  const alertmanager = async () => {
    started.alerts = await Told.start(reply);
    return started.alerts.server.url;
  };
  scenario(name, { ...scene, alertmanager }, async (world) => {
    const { alerts } = started;
    if (!alerts) throw new Error('there is no Alertmanager');
    try {
      await body(world, alerts);
    } finally {
      await alerts.server.stop();
    }
  });
}
