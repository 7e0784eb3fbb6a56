import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { grantAutoRenewed } from '../calls/lease-calls.ts';
import { openCaller } from '../load/caller.ts';
import { countLeases } from '../peers/etcd-json.ts';
import { fetchMetrics } from '../peers/metrics.ts';
import { cpuTimeMs } from '../peers/process-usage.ts';
import { residentBytes, settledMemoryBytes } from '../peers/resident-memory.ts';
import type { Bench, Finding, Row } from '../row.ts';

const TTL_SECONDS = 300;
const GRANTS_IN_FLIGHT = 100;
/** A third of the time to live: in it every lease is renewed once. */
const WINDOW_SECONDS = TTL_SECONDS / 3;
/** What granting left behind is gone by then. */
const LEAD_IN_SECONDS = 10;

/** A server with a process of its own. */
interface Server {
  readonly pid: number;
  readonly port: number;
}

/** What both servers have done so far. */
interface Usage {
  readonly atMs: number;
  readonly gatewayCpuMs: number;
  readonly etcdCpuMs: number;
  readonly renewals: number;
  readonly streams: number;
  readonly lost: number;
  readonly expired: number;
}

/** What one window of time came to. */
interface Window {
  readonly renewalsPerSecond: number;
  readonly gatewayCpuPercent: number;
  readonly etcdCpuPercent: number;
  /** Streams of renewals since the start of etcd. */
  readonly streams: number;
  /** Leases that etcd let expire, since the start. */
  readonly expired: number;
  /** Leases that the gateway could not renew in time, though they may have lived, since the start. */
  readonly late: number;
  readonly gatewayMb: number;
}

/** What it costs to renew leases that nobody holds; the servers are the row's own. */
export const autoRenewal: Row = {
  name: 'auto-renewal',
  isBar: true,
  describes:
    'cost of renewing 100,000 leases of 5 minutes that were granted with auto_renew, in one window of 100 s, on servers of its own',
  async measure(bench) {
    const { peers, leases, progress, signal } = bench;
    await using etcd = await peers.startAnotherEtcd();
    await using gateway = await peers.startAnotherGateway(etcd.endpoint);
    const bytesBefore = await settledMemoryBytes(gateway.pid, bench);
    progress(`auto-renewal: granting ${leases} leases`);
    const grantsPerSecond = await grantAll(gateway.port, bench);
    await eventually(async () => {
      const renewed = (await fetchMetrics(gateway.port, bench)).sum('concord_leases_auto_renewed');
      if (renewed !== leases) throw new Error(`${renewed} of ${leases} leases are renewed by the gateway`);
    });
    await delay(LEAD_IN_SECONDS * 1_000, undefined, { signal });

    progress(`auto-renewal: a window of ${WINDOW_SECONDS} s`);
    const window = await measureWindow(gateway, etcd, bench);
    const missing = Math.max(0, leases - (await countLeases(etcd.endpoint, bench)));
    return findings(window, { leases, missing, grantsPerSecond, mbBefore: bytesBefore / 1_000_000 });
  },
};

/** Returns how many were granted per second. */
async function grantAll(port: number, bench: Bench): Promise<number> {
  using caller = await openCaller(port, bench);
  const startedAtMs = performance.now();
  let left = bench.leases;
  async function grantSome(): Promise<void> {
    while (left-- > 0) await grantAutoRenewed(caller, TTL_SECONDS);
  }
  await Promise.all(Array.from({ length: GRANTS_IN_FLIGHT }, grantSome));
  return (bench.leases / (performance.now() - startedAtMs)) * 1_000;
}

async function measureWindow(gateway: Server, etcd: Server, bench: Bench): Promise<Window> {
  const before = await readUsage(gateway, etcd, bench);
  await delay(WINDOW_SECONDS * 1_000, undefined, { signal: bench.signal });
  const after = await readUsage(gateway, etcd, bench);
  const elapsedMs = after.atMs - before.atMs;
  return {
    renewalsPerSecond: ((after.renewals - before.renewals) / elapsedMs) * 1_000,
    gatewayCpuPercent: ((after.gatewayCpuMs - before.gatewayCpuMs) / elapsedMs) * 100,
    etcdCpuPercent: ((after.etcdCpuMs - before.etcdCpuMs) / elapsedMs) * 100,
    streams: after.streams,
    expired: after.expired,
    late: after.lost,
    gatewayMb: (await residentBytes(gateway.pid)) / 1_000_000,
  };
}

async function readUsage(gateway: Server, etcd: Server, bench: Bench): Promise<Usage> {
  const [gatewayCpuMs, etcdCpuMs] = await Promise.all([cpuTimeMs(gateway.pid), cpuTimeMs(etcd.pid)]);
  const atMs = performance.now();
  const atEtcd = await fetchMetrics(etcd.port, bench);
  const atGateway = await fetchMetrics(gateway.port, bench);
  const keepAlive = { grpc_method: 'LeaseKeepAlive' };
  return {
    atMs,
    gatewayCpuMs,
    etcdCpuMs,
    renewals: atEtcd.sum('grpc_server_msg_sent_total', keepAlive),
    streams: atEtcd.sum('grpc_server_started_total', keepAlive),
    expired: atEtcd.sum('etcd_debugging_server_lease_expired_total'),
    lost: atGateway.sum('concord_leases_lost'),
  };
}

/** What is known besides the window. */
interface Renewed {
  readonly leases: number;
  readonly grantsPerSecond: number;
  /** Leases that etcd does not have any more. */
  readonly missing: number;
  /** Of the gateway, before the first lease. */
  readonly mbBefore: number;
}

function findings(
  window: Window,
  { leases, missing, grantsPerSecond, mbBefore }: Renewed,
): readonly Finding[] {
  const compares = 'itself';
  return [
    {
      measure: `streams of renewals for ${leases} leases`,
      unit: 'streams',
      concord: [window.streams],
      compares,
      target: { kind: 'at-most', bar: 1 },
    },
    {
      measure: 'CPU of one core while they are renewed',
      unit: '%',
      concord: [window.gatewayCpuPercent],
      peer: { name: 'etcd meanwhile', values: [window.etcdCpuPercent] },
      compares,
      target: { kind: 'at-most', bar: 15 },
    },
    {
      measure: 'leases that were lost',
      unit: 'leases',
      concord: [Math.max(window.expired, missing)],
      compares,
      target: { kind: 'at-most', bar: 0 },
    },
    {
      measure: 'leases that were renewed too late to rely on',
      unit: 'leases',
      concord: [window.late],
      compares,
      target: { kind: 'at-most', bar: 0 },
    },
    {
      measure: 'renewals',
      unit: 'per second',
      concord: [window.renewalsPerSecond],
      compares,
    },
    {
      measure: 'memory of the gateway then',
      unit: 'MB',
      concord: [window.gatewayMb],
      compares,
    },
    {
      measure: 'memory of a renewed lease',
      unit: 'KB',
      concord: [((window.gatewayMb - mbBefore) * 1_000) / leases],
      compares,
    },
    {
      measure: `Grant with auto_renew, ${GRANTS_IN_FLIGHT} in flight`,
      unit: 'per second',
      concord: [grantsPerSecond],
      compares,
    },
  ];
}
