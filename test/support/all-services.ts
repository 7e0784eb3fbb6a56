import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { SERVICES } from '../../src/cli/gateway.ts';

/** Every service of a gateway but reflection. */
export const ALL_SERVICES = [...SERVICES, Health] as const;
