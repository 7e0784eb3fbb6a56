import { create, toBinary } from '@bufbuild/protobuf';
import { PublishRequestSchema } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { openCaller } from '../load/caller.ts';
import type { Bench } from '../row.ts';
import { type Entry, valueFor } from './entries.ts';

export const PUBLISH_PATH = '/concord.config.v1.ConfigService/Publish';
const PREFIX = '/config/';

/** A configuration that the bench writes: of an application, in one profile. */
export interface ConfigLayer {
  readonly application: string;
  readonly profile: string;
  /** By their keys within the application. */
  readonly items: readonly Entry[];
}

/** So many applications with so many items each, in the profile `default`. */
export function someApplications(
  name: string,
  applications: number,
  items: number,
  generation = 0,
): readonly ConfigLayer[] {
  return Array.from({ length: applications }, (_, application) =>
    someItems(`${name}-${application}`, 'default', items, generation),
  );
}

/** So many items of an application in one profile; the values of each generation are others. */
export function someItems(application: string, profile: string, items: number, generation = 0): ConfigLayer {
  return {
    application,
    profile,
    items: Array.from({ length: items }, (_, item) => {
      const key = `server/item-${String(item).padStart(3, '0')}`;
      return { key, value: valueFor(`${application} ${profile} ${key} ${generation}`) };
    }),
  };
}

/** Under which the items of an application stand in etcd. */
export function rawPrefix(application: string): string {
  return `${PREFIX}${application}/`;
}

/** The request that writes a layer. */
export function publishRequest({ application, profile, items }: ConfigLayer): Uint8Array {
  const puts = items.map(({ key, value }) => ({ key, value }));
  const request = { application, profile, puts, author: 'bench', comment: 'a change' };
  return toBinary(PublishRequestSchema, create(PublishRequestSchema, request));
}

/** Writes layers, one after the other. */
export async function publishAll(bench: Bench, layers: readonly ConfigLayer[]): Promise<void> {
  using caller = await openCaller(bench.peers.gateway.port, bench);
  for (const layer of layers) await caller.call(PUBLISH_PATH, publishRequest(layer));
}
