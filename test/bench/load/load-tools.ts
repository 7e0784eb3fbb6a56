import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The load generators of this machine, by their paths; absent where there is none. */
export interface LoadTools {
  readonly h2load?: string;
  readonly wrk?: string;
}

/** Looks for `h2load` (of nghttp2) and `wrk` in the folders of `PATH`. */
export async function findLoadTools(path = process.env['PATH'] ?? ''): Promise<LoadTools> {
  const [h2load, wrk] = await Promise.all([find('h2load', path), find('wrk', path)]);
  return { ...(h2load && { h2load }), ...(wrk && { wrk }) };
}

async function find(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere && folder !== '') return file;
  }
  return undefined;
}
