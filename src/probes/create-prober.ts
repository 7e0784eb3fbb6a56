// Asks instances whether they are alive: the domain's Prober on the network.
// Each question is asked on a connection of its own, to an address that was looked up and found to be allowed just before.

import { get } from 'node:http';
import { connect, isIPv6 } from 'node:net';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health/v1/health_pb.ts';
import type { ProbeCheck, Prober } from '../domain/discovery/probe.ts';
import { createAllowedAddress, type Network } from './allowed-networks.ts';

interface Options {
  readonly signal: AbortSignal;
}

/** Creates it; without networks it asks nobody. */
export function createProber(networks: readonly Network[]): Prober {
  const allowedAddress = createAllowedAddress(networks);
  return {
    async requireAllowed(host) {
      await allowedAddress(host);
    },
    async ask(check, { host, port }, options) {
      const address = await allowedAddress(host);
      options.signal.throwIfAborted();
      await ask(check, { host, address, port }, options);
    },
  };
}

interface Target {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

function ask(check: ProbeCheck, target: Target, options: Options): Promise<void> {
  switch (check.kind) {
    case 'tcp':
      return askTcp(target, options);
    case 'http':
      return askHttp(target, check.path, options);
    case 'grpc':
      return askGrpc(target, check.service, options);
  }
}

function askTcp({ address, port }: Target, { signal }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}

function askHttp({ host, address, port }: Target, path: string, { signal }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${isIPv6(host) ? `[${host}]` : host}:${port}`, 'user-agent': 'concord-probe' };
    const request = get({ host: address, port, path, headers, agent: false, signal }, (response) => {
      const { statusCode = 0 } = response;
      // What the page says is of no interest.
      request.destroy();
      if (statusCode >= 200 && statusCode < 300) resolve();
      else reject(new Error(`the status is ${statusCode}`));
    });
    request.on('error', reject);
  });
}

async function askGrpc({ address, port }: Target, service: string, { signal }: Options): Promise<void> {
  const baseUrl = `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  try {
    const health = createClient(Health, createGrpcTransport({ baseUrl, sessionManager }));
    const { status } = await health.check({ service }, { signal });
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error(`its status is ${status}`);
  } finally {
    sessionManager.abort();
  }
}
