import type { Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';

/** One way to call a gateway. */
export interface Protocol {
  readonly name: string;
  readonly open: (baseUrl: string) => Transport;
}

/** Every protocol, codec and version of HTTP that is served. */
export const PROTOCOLS: readonly Protocol[] = [
  { name: 'gRPC', open: (baseUrl) => createGrpcTransport({ baseUrl }) },
  { name: 'gRPC, JSON', open: (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false }) },
  { name: 'gRPC-Web, HTTP/2', open: (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }) },
  { name: 'gRPC-Web, HTTP/1.1', open: (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }) },
  {
    name: 'Connect, proto, HTTP/2',
    open: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
  },
  {
    name: 'Connect, JSON, HTTP/1.1',
    open: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  },
  {
    name: 'Connect, GET, HTTP/1.1',
    open: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useHttpGet: true }),
  },
];
