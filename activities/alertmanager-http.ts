import { addressOf, type Endpoint } from './endpoint.js';
import { causeOf, request } from './http.js';
import { type AlertmanagerApi, AlertmanagerError } from './ports.js';

export interface AlertmanagerHttpOptions extends Endpoint {
  /** Bounds each request. Default: 2 s. */
  timeoutMs?: number | undefined;
}

/** The statuses that say that the alerts themselves are wrong. */
const REFUSED = new Set([400, 413, 422]);

/** Alertmanager over HTTP, its API v2: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml */
export function alertmanagerOverHttp(options: AlertmanagerHttpOptions): AlertmanagerApi {
  const { base, headers } = addressOf(options);
  const url = `${base}/api/v2/alerts`;
  const timeoutMs = options.timeoutMs ?? 2_000;
  return {
    async post(alerts) {
      const json = { ...headers, 'content-type': 'application/json' };
      const answer = await request({ url, method: 'POST', headers: json, body: alerts, timeoutMs }).catch(
        (error: unknown) => {
          throw new AlertmanagerError(`Alertmanager does not answer: ${causeOf(error)}`, 'trouble', { cause: error });
        },
      );
      const { status, json: said } = answer;
      if (status >= 200 && status <= 299) return;
      const words = said === undefined ? '' : `: ${JSON.stringify(said).slice(0, 300)}`;
      const kind = REFUSED.has(status) ? 'refused' : 'trouble';
      throw new AlertmanagerError(`Alertmanager answers ${status}${words}`, kind);
    },
  };
}
