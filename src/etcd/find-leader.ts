import type { Metadata } from '@grpc/grpc-js';
import type { IStatusResponse } from 'etcd3';
import type { Member } from './member.ts';
import { isTokenRejected } from './status.ts';

/** Who leads. `unknown`: none of the members under no suspicion, or nobody in time. */
export type Leader =
  | { readonly kind: 'known'; readonly member: Member }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'tokenRejected' };

/**
 * Asks all members who leads, and believes the first that says so of itself. It is not waited for members under suspicion, unless
 * all are.
 *
 * @param deadline in milliseconds of the wall clock.
 */
export async function findLeader(
  members: readonly Member[],
  metadata: Metadata,
  deadline: number,
): Promise<Leader> {
  const { promise, resolve } = Promise.withResolvers<Leader>();
  const answers = members.map(async (member) => {
    const call = { metadata, deadline, cancellation: undefined };
    const answer = await member.call<IStatusResponse>('Maintenance', 'status', {}, call);
    if (answer.kind === 'failed') {
      if (isTokenRejected(answer.error)) resolve({ kind: 'tokenRejected' });
    } else if (answer.value.leader === answer.value.header.member_id) resolve({ kind: 'known', member });
  });
  const awaited = answers.filter((_, index) => members[index]?.isSuspect === false);
  // A call rejects only when the connection was closed by us.
  const all = Promise.allSettled(answers);
  void (awaited.length > 0 ? Promise.allSettled(awaited) : all).then(() => resolve({ kind: 'unknown' }));
  return promise;
}
