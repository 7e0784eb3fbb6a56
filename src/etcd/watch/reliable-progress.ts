// Which versions of etcd keep a requested progress notice behind the events before it.

import type { Metadata } from '@grpc/grpc-js';
import type { Cluster } from '../cluster.ts';
import type { Member } from '../member.ts';

/** Returns whether a member does (etcd-io/etcd#15695: from 3.4.25 and 3.5.8 on); undefined where it does not say its version. */
export async function hasReliableProgress(
  cluster: Cluster,
  member: Member,
  metadata: Metadata,
): Promise<boolean | undefined> {
  const version = await cluster.versionOf(member, metadata);
  if (version === undefined) return undefined;
  const [, minor = '0', patch = '0'] = /^3\.(\d+)\.(\d+)/.exec(version) ?? [];
  switch (Number(minor)) {
    case 4:
      return Number(patch) >= 25;
    case 5:
      return Number(patch) >= 8;
    default:
      return Number(minor) > 5;
  }
}
