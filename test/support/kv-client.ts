import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { View } from '../../gen/concord/kv/v1/reading_pb.ts';

/** A client of the keys. */
export type KvClient = Client<typeof KvService>;

/** Opens a client. @param transport @default gRPC over HTTP/2, a connection of its own */
export function openKvClient(
  baseUrl: string,
  transport: Transport = createGrpcTransport({ baseUrl }),
): KvClient {
  return createClient(KvService, transport);
}

/** Lists the names of all keys that begin with `prefix`, page by page. */
export async function listKeys(kv: KvClient, prefix: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  let pageToken = '';
  do {
    const page = await kv.list({ prefix, pageSize: 1_000, pageToken, view: View.KEYS_ONLY });
    for (const { key } of page.kvs) keys.add(key);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return keys;
}
