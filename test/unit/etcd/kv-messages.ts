import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';

type Method = MethodDefinition<object, object>;

/** Etcd's KV service in protobufjs's codec, from the definition that etcd3 brings. */
export function loadKvMethods(): { readonly range: Method; readonly txn: Method } {
  const etcd3 = dirname(createRequire(import.meta.url).resolve('etcd3/package.json'));
  const definition = loadSync(join(etcd3, 'proto/rpc.proto'), {
    keepCase: true,
    longs: String,
    enums: String,
  });
  const service = definition['etcdserverpb.KV'] as ServiceDefinition;
  const { Range, Txn } = service;
  if (Range === undefined || Txn === undefined) throw new Error('etcd3 defines neither Range nor Txn');
  return { range: Range, txn: Txn };
}
