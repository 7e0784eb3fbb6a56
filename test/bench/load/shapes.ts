import type { LoadShape } from './load.ts';

/** gRPC: 100 calls open at once. */
export const GRPC_SHAPE: LoadShape = { connections: 4, inFlight: 25 };

/** JSON over HTTP/1.1: 64 calls open at once. */
export const JSON_SHAPE: LoadShape = { connections: 64, inFlight: 1 };

/** As many calls open at once as `GRPC_SHAPE`, over HTTP/1.1. */
export const JSON_100_SHAPE: LoadShape = { connections: 100, inFlight: 1 };

/** One call at a time. */
export const LONE_SHAPE: LoadShape = { connections: 1, inFlight: 1 };
