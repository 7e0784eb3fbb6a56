// Prometheus HTTP service discovery (https://prometheus.io/docs/prometheus/latest/http_sd/): the instances as scrape targets.

import type { PlainResponse } from './operator-routes.ts';

/** One instance. */
export interface Target {
  readonly service: string;
  readonly instanceId: string;
  readonly host: string;
  readonly port: number;
  readonly status: string;
  readonly version: string;
  readonly zone: string;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

const PREFIX = '__meta_concord_';

/**
 * Creates the route `/sd/prometheus?service=…`: the targets of one service, of several (`service` again), or of all.
 *
 * Each target has what is known of it as labels, which Prometheus offers to relabelling: `__meta_concord_service`, `_instance_id`,
 * `_status`, `_version`, `_zone`, `_weight`, `_tags` (as `,a,b,`), and `_metadata_<name>` for each of its metadata, whatever is no
 * letter, digit or `_` in the name replaced by `_`.
 */
export function createPrometheusDiscovery(
  targets: (services: readonly string[]) => Promise<readonly Target[]>,
): (request: { readonly query: URLSearchParams }) => Promise<PlainResponse> {
  return async ({ query }) => {
    const services = [...new Set(query.getAll('service'))];
    const groups = (await targets(services)).map((target) => ({
      targets: [`${hostIn(target)}:${target.port}`],
      labels: labelsOf(target),
    }));
    return { status: 200, contentType: 'application/json', body: JSON.stringify(groups) };
  };
}

/** An address of IPv6 stands in brackets; other clients may have written it so. */
function hostIn({ host }: Target): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function labelsOf(target: Target): Record<string, string> {
  const { service, instanceId, status, version, zone, weight, tags, metadata } = target;
  const described = Object.entries(metadata).map(
    ([name, value]) => [`metadata_${name.replaceAll(/\W/g, '_')}`, value] as const,
  );
  const labels = {
    ...Object.fromEntries(described),
    service,
    instance_id: instanceId,
    status,
    version,
    zone,
    weight: String(weight),
    tags: tags.length === 0 ? '' : `,${tags.join()},`,
  };
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [PREFIX + name, value]),
  );
}
