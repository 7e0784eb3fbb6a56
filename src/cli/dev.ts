/** The settings that `concord dev` makes itself, whatever the environment says; flags win. */
const DEV_SETTINGS = {
  CONCORD_DATA_DIR: '.concord',
  CONCORD_LOG_LEVEL: 'debug',
  CONCORD_LOG_FORMAT: 'text',
} as const;

/** What says which etcd to use. */
const CLUSTER_SETTINGS = [
  'ETCD_ENDPOINTS',
  'ETCD_USERNAME',
  'ETCD_PASSWORD',
  'ETCD_CA',
  'ETCD_CERT',
  'ETCD_KEY',
] as const;

/** Arguments and environment for `serve`. */
export interface ServeInput {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Returns what `concord dev` hands to `serve`: an etcd of its own, debug logs as text. Returns a text where a flag asks for another etcd. */
export function devArguments(args: readonly string[], env: ServeInput['env']): ServeInput | string {
  const flag = args.find((arg) => /^--etcd-(endpoints|username|password|ca|cert|key)(=|$)/.test(arg));
  if (flag !== undefined)
    return `dev runs an etcd of its own; leave out ${flag.split('=')[0]}, or use "concord serve"`;
  const others = Object.entries(env).filter(([name]) => !CLUSTER_SETTINGS.some((each) => each === name));
  return { args, env: { ...Object.fromEntries(others), ...DEV_SETTINGS } };
}
