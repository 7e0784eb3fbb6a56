import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import type { Freshness } from '../../domain/reading/fresh-read.ts';

/** Returns how fresh a request wants its answer. */
export function freshnessOf(request: {
  readonly consistency: Consistency;
  readonly minRevision: bigint;
}): Freshness {
  return { serializable: request.consistency === Consistency.SERIALIZABLE, minRevision: request.minRevision };
}
