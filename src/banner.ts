import packageJson from '../package.json' with { type: 'json' };
import type { Gateway } from './gateway.ts';

/** What a person sees when a gateway runs; several processes have a line of their own. */
export function banner({ listeners, workers, etcdVersion, etcdDataDir }: Gateway): string {
  const [first] = listeners;
  const url = first === undefined ? '' : urlOf(first);
  const where = etcdDataDir === undefined ? 'of the endpoints given' : `run here, data in ${etcdDataDir}`;
  return [
    `Concord ${packageJson.version}: gRPC, gRPC-Web, Connect and HTTP/JSON on one port`,
    ...listeners.map((each) => `  listening  ${urlOf(each)}`),
    ...(workers === 1 ? [] : [`  workers    ${workers}`]),
    `  etcd       ${etcdVersion ?? 'not reachable yet'}, ${where}`,
    '  try        curl -H "content-type: application/json" \\',
    `               -d '{"key":"greeting","value":"hello"}' ${url}/concord.kv.v1.KvService/Put`,
    '',
  ].join('\n');
}

function urlOf({ scheme, host, port }: Gateway['listeners'][number]): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
