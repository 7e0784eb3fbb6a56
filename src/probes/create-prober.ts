// Asks instances whether they are alive: the domain's Prober on the network.
// Each question is asked on a connection of its own, to an address that was looked up and found to be allowed just before.

import { get } from 'node:http';
import { connect, isIPv6, type Socket } from 'node:net';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health/v1/health_pb.ts';
import type { ProbeCheck, Prober } from '../domain/discovery/probe.ts';
import { createAllowedAddresses, type Network } from './allowed-networks.ts';

interface Options {
  readonly signal: AbortSignal;
}

/** Creates it; without networks it asks nobody. */
export function createProber(networks: readonly Network[]): Prober {
  const allowedAddresses = createAllowedAddresses(networks);
  return {
    async requireAllowed(host, options) {
      await allowedAddresses(host, options);
    },
    async ask(check, { host, port }, options) {
      const addresses = await allowedAddresses(host, options);
      const socket = await connectToOne(addresses, port, options);
      const close = () => socket.destroy();
      options.signal.addEventListener('abort', close, { once: true });
      try {
        await ask(check, { host, port, socket }, options);
      } finally {
        options.signal.removeEventListener('abort', close);
        close();
      }
    },
  };
}

/** Where it is asked, connected to it. */
interface Target {
  readonly host: string;
  readonly port: number;
  readonly socket: Socket;
}

function ask(check: ProbeCheck, target: Target, options: Options): Promise<void> {
  switch (check.kind) {
    case 'tcp':
      return Promise.resolve();
    case 'http':
      return askHttp(target, check.path, options);
    case 'grpc':
      return askGrpc(target, check.service, options);
  }
}

/** Of a name that has several addresses the instance need not listen at each: one that answers will do. */
async function connectToOne(
  [first, ...rest]: readonly [string, ...string[]],
  port: number,
  options: Options,
): Promise<Socket> {
  options.signal.throwIfAborted();
  try {
    return await connectTo(first, port, options);
  } catch (error) {
    const [next, ...others] = rest;
    if (next === undefined) throw error;
    return connectToOne([next, ...others], port, options);
  }
}

function connectTo(address: string, port: number, { signal }: Options): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const abort = () => socket.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    // Stays: a connection that breaks later tells whoever asks on it.
    socket.on('error', reject);
    socket.once('close', () => signal.removeEventListener('abort', abort));
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      resolve(socket);
    });
  });
}

function askHttp({ host, port, socket }: Target, path: string, { signal }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${isIPv6(host) ? `[${host}]` : host}:${port}`, 'user-agent': 'concord-probe' };
    const createConnection = () => socket;
    const request = get({ path, headers, createConnection, signal }, (response) => {
      const { statusCode = 0 } = response;
      // What the page says is of no interest.
      request.destroy();
      if (statusCode >= 200 && statusCode < 300) resolve();
      else reject(new Error(`the status is ${statusCode}`));
    });
    request.on('error', reject);
  });
}

async function askGrpc({ host, port, socket }: Target, service: string, { signal }: Options): Promise<void> {
  const baseUrl = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl, {}, { createConnection: () => socket });
  try {
    const health = createClient(Health, createGrpcTransport({ baseUrl, sessionManager }));
    const { status } = await health.check({ service }, { signal });
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error(`its status is ${status}`);
  } finally {
    sessionManager.abort();
  }
}
