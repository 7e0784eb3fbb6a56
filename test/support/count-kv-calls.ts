const ANSWER_TIMEOUT_MS = 30_000;

/** How many calls of its KV service a member has been sent since its start. */
export async function countKvCalls(endpoint: string): Promise<number> {
  const response = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const started = (await response.text()).matchAll(
    /^grpc_server_started_total\{.*grpc_service="etcdserverpb.KV".*\} (\d+)$/gm,
  );
  return [...started].reduce((sum, [, count]) => sum + Number(count), 0);
}
