import { enumToJson } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { HealthCheckResponse_ServingStatusSchema as ServingStatusSchema } from '../../gen/grpc/health/v1/health_pb.ts';
import { describeFailure, EXIT } from './failure.ts';
import { SERVICES } from './gateway.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';

/** What of the gateway's metrics is shown, and under which name. */
const SHOWN_METRICS = {
  connections: 'concord_connections',
  streams: 'concord_streams',
  watches: 'concord_watch_subscriptions',
  'etcd watches': 'concord_watch_channels',
  'leases kept': 'concord_leases_kept',
  sessions: 'concord_sessions',
} as const;

const METRICS_TIMEOUT_MS = 5_000;

interface ServiceHealth {
  readonly service: string;
  readonly status: string;
}

/** Adds `status`. */
export function addStatusCommand(program: Command, runtime: Runtime): void {
  program
    .command('status')
    .summary('show how the gateway is')
    .description(
      'Shows the health of each service (grpc.health.v1) and what the gateway counts (/metrics). Exit code 5 where something does not serve.',
    )
    .action((_: object, command: Command) => runCommand(runtime, command, showStatus));
}

async function showStatus({ gateway, output, call }: Use): Promise<number> {
  const services = await Promise.all(
    SERVICES.map(async ({ typeName }): Promise<ServiceHealth> => {
      const { status } = await gateway.health.check({ service: typeName }, call());
      return { service: typeName, status: String(enumToJson(ServingStatusSchema, status)) };
    }),
  );
  const isServing = services.every(({ status }) => status === 'SERVING');
  const metrics = await readMetrics(gateway.address).catch((error: unknown) => {
    const { message } = describeFailure(error, gateway.address);
    output.note(`/metrics cannot be read: ${message}`);
    return undefined;
  });
  if (output.isJson) await output.json({ server: gateway.address, serving: isServing, services, metrics });
  else {
    const { address } = gateway;
    const word = isServing ? output.paint('green', 'serving') : output.paint('red', 'not serving');
    await output.line(`${address}  ${word}\n`);
    const paint = (text: string) => output.paint(text.trim() === 'SERVING' ? 'green' : 'red', text);
    await output.table(
      [
        { title: 'SERVICE', text: ({ service }: ServiceHealth) => service },
        { title: 'STATUS', text: ({ status }: ServiceHealth) => status, paint },
      ],
      services,
    );
    if (metrics !== undefined) {
      await output.line('');
      await output.table(
        [
          { title: 'COUNT OF', text: ([name]: readonly [string, number]) => name },
          { title: 'NOW', text: ([, value]: readonly [string, number]) => String(value), isNumber: true },
        ],
        Object.entries(metrics),
      );
    }
  }
  return isServing ? EXIT.ok : EXIT.unavailable;
}

async function readMetrics(address: string): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(`${address}/metrics`, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  return pickMetrics(await response.text());
}

/** Takes the values that are shown out of Prometheus's text format. */
export function pickMetrics(text: string): Readonly<Record<string, number>> {
  const found = Object.entries(SHOWN_METRICS).flatMap(([title, name]) => {
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? [] : [[title, Number(value)] as const];
  });
  return Object.fromEntries(found);
}
