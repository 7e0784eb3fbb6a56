// grpc.health.v1.Health: for load balancers and orchestrators. See https://github.com/grpc/grpc/blob/master/doc/health-checking.md.

import type { ServiceImpl } from '@connectrpc/connect';
import {
  type Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../gen/grpc/health/v1/health_pb.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Readiness } from './readiness.ts';

/** Creates the handlers. `services` are the full names served; the empty name stands for all of them. */
export function createHealthHandlers(
  readiness: Readiness,
  services: readonly string[],
): ServiceImpl<typeof Health> {
  const names = new Set(['', ...services]);
  const status = () => (readiness.isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  return {
    check({ service }) {
      if (!names.has(service)) throw serviceUnknown(service);
      return { status: status() };
    },

    async *watch({ service }, { signal }) {
      if (!names.has(service)) {
        yield { status: ServingStatus.SERVICE_UNKNOWN };
        while (!signal.aborted) await readiness.changed(signal);
      }
      while (!signal.aborted) {
        const change = readiness.changed(signal);
        yield { status: status() };
        await change;
      }
      signal.throwIfAborted();
    },
  };
}

function serviceUnknown(service: string): DomainError {
  return new DomainError('SERVICE_NOT_FOUND', `No service "${service}" is served here`, { service });
}
