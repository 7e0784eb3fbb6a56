import type { ConfigClient } from './config-watch.ts';

/** Reads all versions of some items, each as `describeItem` has it. At most 1,000 of each. */
export async function readVersions(
  config: ConfigClient,
  application: string,
  profiles: readonly string[],
  keys: readonly string[],
): Promise<readonly string[]> {
  const names = profiles.flatMap((profile) => keys.map((key) => ({ profile, key })));
  const found = await Promise.all(
    names.map(async ({ profile, key }) => {
      const { versions } = await config.history({ application, profile, key, pageSize: 1_000 });
      return versions.map((version) => ({ ...version, profile, key }));
    }),
  );
  return found.flat().map(({ profile, key, version, value }) => `${profile}/${key}@${version}=${value}`);
}
