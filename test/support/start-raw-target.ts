import { createRawClient, type RawAnswer, type RawHttpVersion, type RawRequest } from './raw-request.ts';
import type { TestGateway } from './start-gateway.ts';
import { LONG_LEASES, startGatewayOnEtcd } from './start-gateway-on-etcd.ts';
import { type StoreState, storeStateOf } from './store-state.ts';
import { type WireError, wireErrorOf } from './wire-error.ts';
import { kvPath, WIRE_PROTOCOLS, type WireProtocol, wireRequest } from './wire-protocol.ts';

/** A gateway on an etcd of its own, to send wrong requests to. */
export interface RawTarget extends AsyncDisposable {
  readonly gateway: TestGateway;
  send(version: RawHttpVersion, request: RawRequest): Promise<RawAnswer>;
  /** Sends a request that must fail. Throws where it succeeds or its error is not clear; see {@link wireErrorOf}. */
  refusal(version: RawHttpVersion, request: RawRequest): Promise<WireError>;
  /** Sends an encoded message to a unary rpc of KvService, which must refuse it. */
  kvRefusal(protocol: WireProtocol, rpc: string, message: string | Uint8Array): Promise<WireError>;
  /** The state of etcd. Throws where the gateway no longer serves a call in every protocol, or has logged a fault of its own since. */
  state(): Promise<StoreState>;
}

const HEALTHY_MESSAGE = { json: '{"view":"VIEW_COUNT_ONLY"}', proto: Uint8Array.of(0x38, 3) };

/** Starts the target. */
export async function startRawTarget(): Promise<RawTarget> {
  const gateway = await startGatewayOnEtcd({}, LONG_LEASES);
  const client = createRawClient(gateway.port);
  let linesSeen = 0;

  async function refusal(version: RawHttpVersion, request: RawRequest): Promise<WireError> {
    const error = wireErrorOf(await client.send(version, request));
    if (error === undefined) throw new Error(`${request.path} took what it must refuse`);
    return error;
  }
  return {
    gateway,
    send: client.send,
    refusal,
    kvRefusal: (protocol, rpc, message) =>
      refusal(protocol.httpVersion, wireRequest(protocol, kvPath(rpc), message)),
    async state() {
      for (const protocol of WIRE_PROTOCOLS) {
        const request = wireRequest(protocol, kvPath('List'), HEALTHY_MESSAGE[protocol.codec]);
        const error = wireErrorOf(await client.send(protocol.httpVersion, request));
        if (error !== undefined)
          throw new Error(`a normal call failed over ${protocol.name}: ${error.message}`);
      }
      const faults = gateway.logLines.slice(linesSeen).filter(({ level }) => level === 'error');
      linesSeen = gateway.logLines.length;
      if (faults.length > 0) throw new Error(`the gateway logged: ${JSON.stringify(faults.slice(0, 3))}`);
      return storeStateOf(gateway.etcd);
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}
