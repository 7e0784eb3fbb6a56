// The API of Spring Cloud Config Server, so that its clients take their configuration from here unchanged.
// See https://docs.spring.io/spring-cloud-config/reference/server/environment-repository.html.

import { isNamedIn, weakEntityTag } from './entity-tag.ts';
import type { PlainResponse } from './operator-routes.ts';
import { readSpringPath } from './spring-path.ts';

/** An item of an application's configuration. */
export interface SpringConfigItem {
  readonly key: string;
  readonly value: string;
  readonly contentType: string;
  /** Whether it is a secret that the caller may not read. */
  readonly isHidden: boolean;
}

/** The items of one profile of an application. */
export interface SpringConfigLayer {
  readonly profile: string;
  readonly items: readonly SpringConfigItem[];
}

/** Where the configuration comes from. */
export interface SpringConfigSource {
  /**
   * Returns an application's layers, the base (`default`) first, then one a profile in the order of `profiles`, which do not name
   * the base. What does not exist has no items. `reveal`: the caller may read secrets.
   */
  layers(
    application: string,
    profiles: readonly string[],
    reveal: boolean,
  ): Promise<{ readonly revision: bigint; readonly layers: readonly SpringConfigLayer[] }>;
}

type Scalar = string | number | boolean;

/** What {@link createSpringConfig} needs. */
export interface SpringConfigOptions {
  readonly source: SpringConfigSource;
  /** Tells by the Authorization header whether a caller may read secrets. */
  mayReadSecrets(authorization: string | undefined): boolean;
  /**
   * Returns the values in a document by their paths: maps are joined by `.`, items of lists are `[0]`, and a document that is one
   * value stands under the empty path. undefined: it cannot be read as its content type.
   */
  flatten(contentType: string, text: string): ReadonlyMap<string, Scalar> | undefined;
}

/** A request, as far as it matters here. */
export interface SpringConfigRequest {
  readonly path: string;
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly 'if-none-match'?: string | undefined;
  };
}

/** An answer with its entity tag. */
export interface SpringConfigResponse extends PlainResponse {
  readonly headers: Readonly<Record<string, string>>;
}

interface PropertySource {
  readonly name: string;
  readonly source: Readonly<Record<string, Scalar>>;
}

const BASE_PROFILE = 'default';
const STRUCTURED: ReadonlySet<string> = new Set(['json', 'yaml', 'toml', 'properties']);
const FILE_NAME = /\.(ya?ml|json|toml|properties)$/;
const JSON_TYPE = 'application/json';

/**
 * Creates the route below {@link SPRING_PREFIX}: `{application}/{profiles}` and `{application}/{profiles}/{label}`.
 *
 * It answers with a property source for each profile that has items, the one that counts most first: the last profile before the
 * first, the base after them all; within a profile the last application before the first. Each item is a property, and each value
 * in a structured item is one: `url` in the item `db` is `db.url`, in an item that is named as a file, such as `application.yml`,
 * `url`. A file that holds nothing has none. Of two of one name in one source the later item's stands. Items that the caller may not read are left out.
 *
 * There is one state only: a label is sent back, and changes nothing. `version` is the newest revision of the store that was read
 * at; the entity tag is that of the properties without it, since writes elsewhere in the store change it too.
 */
export function createSpringConfig(
  options: SpringConfigOptions,
): (request: SpringConfigRequest) => Promise<SpringConfigResponse> {
  const { source } = options;

  async function readAll(applications: readonly string[], profiles: readonly string[], reveal: boolean) {
    const found = await Promise.all(
      applications.map(async (application) => ({
        application,
        ...(await source.layers(application, profiles, reveal)),
      })),
    );
    return { found, revision: found.reduce((newest, { revision }) => max(newest, revision), 0n) };
  }

  function propertiesOf(items: readonly SpringConfigItem[]): Readonly<Record<string, Scalar>> {
    const readable = items.filter(({ isHidden }) => !isHidden);
    return Object.fromEntries(readable.flatMap((item) => propertiesIn(item, options)));
  }

  return async ({ path, headers }) => {
    const { name, applications, profiles, label } = readSpringPath(path);
    const overlays = profiles.filter((profile) => profile !== BASE_PROFILE);
    const { found, revision } = await readAll(
      applications,
      overlays,
      options.mayReadSecrets(headers.authorization),
    );
    const propertySources = [BASE_PROFILE, ...overlays].toReversed().flatMap((profile) =>
      found.toReversed().flatMap(({ application, layers }): PropertySource[] => {
        const items = layers.find((layer) => layer.profile === profile)?.items ?? [];
        if (items.length === 0) return [];
        return [{ name: sourceName(application, profile), source: propertiesOf(items) }];
      }),
    );
    const etag = await weakEntityTag(JSON.stringify(propertySources));
    const head = { contentType: JSON_TYPE, headers: { etag } };
    if (isNamedIn(headers['if-none-match'], etag)) return { status: 304, body: '', ...head };
    const environment = {
      name,
      profiles,
      label: label ?? null,
      version: String(revision),
      state: null,
      propertySources,
    };
    return { status: 200, body: JSON.stringify(environment), ...head };
  };
}

/** Clients take a source whose name holds `-<profile>` for one of that profile, and have it count more than their own files. */
function sourceName(application: string, profile: string): string {
  return profile === BASE_PROFILE ? `concord:${application}` : `concord:${application}-${profile}`;
}

/** An item that cannot be read as its content type is one property, with its text. */
function propertiesIn(
  { key, value, contentType }: SpringConfigItem,
  { flatten }: Pick<SpringConfigOptions, 'flatten'>,
): readonly (readonly [string, Scalar])[] {
  const values = flatten(contentType, value);
  if (values === undefined) return [[key, value]];
  const isFile = STRUCTURED.has(contentType) && FILE_NAME.test(key);
  return [...values]
    .filter(([path, each]) => !isFile || path !== '' || each !== '')
    .map(([path, each]) => [path === '' ? key : joined(isFile ? '' : key, path), each]);
}

function joined(prefix: string, path: string): string {
  return prefix === '' || path.startsWith('[') ? prefix + path : `${prefix}.${path}`;
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
