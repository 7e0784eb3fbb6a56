import {
  createSpringConfig,
  type SpringConfigItem,
  type SpringConfigResponse,
} from '../../../src/http/spring-config.ts';

/** What an item is written as in a test: its text, which is of content type text, or both. */
export type Written = string | readonly [contentType: string, value: string];

/** The items of applications, by profile and key. */
export type Applications = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, Written>>>>>
>;

/** What the source was asked. */
export interface Asked {
  readonly application: string;
  readonly profiles: readonly string[];
  readonly reveal: boolean;
}

/** A route on applications that are held in memory. */
export interface Spring {
  readonly asked: readonly Asked[];
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<SpringConfigResponse>;
  /** The property sources of an answer. */
  sources(path: string, headers?: Readonly<Record<string, string>>): Promise<readonly unknown[]>;
}

export const TOKEN = 'Bearer 0123456789abcdef';

/** Creates one at a revision. Items whose keys begin with `secret.` are secrets; only {@link TOKEN} may read them. */
export function createSpring(applications: Applications, revision: (application: string) => bigint): Spring {
  const asked: Asked[] = [];
  const route = createSpringConfig({
    source: {
      async layers(application, profiles, reveal) {
        asked.push({ application, profiles, reveal });
        const layers = ['default', ...profiles].map((profile) => {
          const written = Object.entries(applications[application]?.[profile] ?? {});
          return { profile, items: written.map(([key, value]) => itemOf(key, value, reveal)) };
        });
        return { revision: revision(application), layers };
      },
    },
    mayReadSecrets: (authorization) => authorization === TOKEN,
    flatten,
  });
  const get: Spring['get'] = (path, headers = {}) => route({ path, headers });
  return {
    asked,
    get,
    async sources(path, headers) {
      const { body } = await get(path, headers);
      return (JSON.parse(body) as { readonly propertySources: readonly unknown[] }).propertySources;
    },
  };
}

function itemOf(key: string, written: Written, reveal: boolean): SpringConfigItem {
  const [contentType, value] = typeof written === 'string' ? ['text', written] : written;
  const isHidden = key.startsWith('secret.') && !reveal;
  return { key, value: isHidden ? '' : value, contentType, isHidden };
}

type Scalar = string | number | boolean;

/** Reads every structured type as JSON. */
function flatten(contentType: string, text: string): ReadonlyMap<string, Scalar> | undefined {
  if (contentType === 'text') return new Map([['', text]]);
  try {
    return new Map(entriesOf('', JSON.parse(text)));
  } catch {
    return undefined;
  }
}

function entriesOf(path: string, value: unknown): (readonly [string, Scalar])[] {
  if (Array.isArray(value)) return value.flatMap((each, i) => entriesOf(`${path}[${i}]`, each));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [[path, '']];
    return entries.flatMap(([name, each]) => entriesOf(path === '' ? name : `${path}.${name}`, each));
  }
  return [[path, value as Scalar]];
}
