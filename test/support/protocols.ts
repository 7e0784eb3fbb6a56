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

const PAST_LIBRARY: readonly Protocol[] = [
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

/** A request with an origin is a page's, which the gateway answers with the handlers of the library. */
const BY_LIBRARY = { origin: 'http://page.example' };

const BOTH_CODECS_AND_VERSIONS = ['gRPC, JSON', 'gRPC-Web, HTTP/2', 'Connect, JSON, HTTP/1.1'];

/** Every protocol, codec and version of HTTP that is served, past the library of Connect; and each protocol once by it. */
export const PROTOCOLS: readonly Protocol[] = [
  ...PAST_LIBRARY,
  ...PAST_LIBRARY.filter(({ name }) => BOTH_CODECS_AND_VERSIONS.includes(name)).map(byLibrary),
];

/** The same, but all of them by the library too, for what is about transport itself; GET goes by it in any case. */
export const PROTOCOLS_BOTH_WAYS: readonly Protocol[] = [
  ...PAST_LIBRARY,
  ...PAST_LIBRARY.filter(({ name }) => !name.includes('GET')).map(byLibrary),
];

function byLibrary({ name, open }: Protocol): Protocol {
  const more = (header: Parameters<Transport['unary']>[3]) =>
    [...new Headers(header), ...Object.entries(BY_LIBRARY)] as [string, string][];
  return {
    name: `${name}, by the library`,
    open(baseUrl) {
      const transport = open(baseUrl);
      return {
        unary: (method, signal, timeoutMs, header, ...rest) =>
          transport.unary(method, signal, timeoutMs, more(header), ...rest),
        stream: (method, signal, timeoutMs, header, ...rest) =>
          transport.stream(method, signal, timeoutMs, more(header), ...rest),
      };
    },
  };
}
