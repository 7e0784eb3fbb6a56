// What is served by plain HTTP, put together: a part of the composition root.

import type { DescService } from '@bufbuild/protobuf';
import { flattenOnDemand } from './documents/on-demand.ts';
import type { ConfigService } from './domain/config/config-service.ts';
import type { DiscoveryService } from './domain/discovery/discovery-service.ts';
import { EVERY } from './domain/discovery/filter.ts';
import { DomainError } from './domain/errors.ts';
import type { OperationOptions } from './domain/store.ts';
import { createClassicRoutes } from './http/classic/classic-routes.ts';
import { createDocs } from './http/docs/create-docs.ts';
import { createOperatorRoutes } from './http/operator-routes.ts';
import { createPrometheusDiscovery, type Target } from './http/prometheus-discovery.ts';
import { createSpringConfig, type SpringConfigSource } from './http/spring-config.ts';
import { SPRING_PREFIX } from './http/spring-path.ts';
import { createTranscoder } from './http/transcoding/create-transcoder.ts';
import type { Readiness } from './rpc/health/readiness.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { FindHttpCall } from './transport/http-call.ts';
import type { HttpRoute } from './transport/http-route.ts';

/** What it needs. */
export interface PlainHttpDeps {
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly discovery: DiscoveryService;
  readonly config: ConfigService;
  mayReadSecrets(authorization: string | undefined): boolean;
  /** Those whose rpcs are reached as they are annotated. */
  readonly services: readonly DescService[];
}

/** What the transport serves of it. */
export interface PlainHttp {
  readonly httpRoutes: ReadonlyMap<string, HttpRoute>;
  readonly findHttpCall: FindHttpCall;
}

/** How long a route waits that brings no deadline: Prometheus waits 10 s, and so do Spring's clients. */
const ANSWER_TIMEOUT_MS = 8_000;
const STORE_IS_AWAY: ReadonlySet<string> = new Set(['STORE_UNAVAILABLE', 'DEADLINE_EXCEEDED']);

/** Creates it. */
export function createPlainHttp(deps: PlainHttpDeps): PlainHttp {
  const { readiness, metrics, discovery, config, mayReadSecrets, services } = deps;
  const [classic, transcode] = [createClassicRoutes(), createTranscoder(services)];
  return {
    httpRoutes: new Map<string, HttpRoute>([
      ...createOperatorRoutes(readiness, metrics),
      ...createDocs(),
      ['/sd/prometheus', createPrometheusDiscovery((names) => targetsOf(discovery, names))],
      [
        SPRING_PREFIX,
        createSpringConfig({ source: springSource(config), mayReadSecrets, flatten: flattenOnDemand }),
      ],
    ]),
    findHttpCall: (method, path) => classic(method, path) ?? transcode(method, path),
  };
}

/** The instances of some services, or of all, as far as this gateway knows: Prometheus asks again and again. */
async function targetsOf(discovery: DiscoveryService, names: readonly string[]): Promise<readonly Target[]> {
  const freshness = { serializable: true, minRevision: 0n };
  const options = inTime();
  const query = { ...freshness, prefix: '', after: '', pageSize: Number.POSITIVE_INFINITY };
  const services =
    names.length > 0
      ? names
      : (await discovery.listServices(query, options)).services.map(({ name }) => name);
  const found = await Promise.all(
    services.map((name) => discovery.discover(name, EVERY, freshness, options)),
  );
  return found.flatMap(({ instances }) => instances);
}

/**
 * The newest configuration, or, while the store does not answer, what this gateway knew last: an application that starts meanwhile
 * is better off with that. A secret that is to be shown and cannot be opened is an error, so that none starts without.
 */
function springSource(config: ConfigService): SpringConfigSource {
  const { vault } = config;
  const decoder = new TextDecoder();
  return {
    async layers(application, profiles, isRevealed) {
      const read = (serializable: boolean) =>
        config.layers(application, profiles, { serializable, minRevision: 0n }, inTime());
      const { layers, revision } = await read(false).catch((error: unknown) => {
        if (error instanceof DomainError && STORE_IS_AWAY.has(error.reason)) return read(true);
        throw error;
      });
      return {
        revision,
        layers: layers.map(({ profile, items }) => ({
          profile,
          items: items.map((item) => {
            const isHidden = item.isSecret && !isRevealed;
            const value = isHidden ? new Uint8Array() : vault.require(item, item.value, item.isSecret);
            const { key, contentType } = item;
            return { key, contentType, value: decoder.decode(value), isHidden };
          }),
        })),
      };
    },
  };
}

function inTime(): OperationOptions {
  const abort = new AbortController();
  const late = new DomainError('DEADLINE_EXCEEDED', `There was no answer within ${ANSWER_TIMEOUT_MS} ms`);
  setTimeout(() => abort.abort(late), ANSWER_TIMEOUT_MS).unref();
  return abort;
}
