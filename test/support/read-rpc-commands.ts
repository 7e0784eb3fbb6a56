/** A command that calls one rpc, as documentation shows it. */
export interface RpcCommand {
  readonly tool: 'curl' | 'grpcurl' | 'buf curl';
  /** Such as `concord.kv.v1.KvService`. */
  readonly service: string;
  /** Such as `Get`. */
  readonly method: string;
  /** The request as JSON; undefined: it sends none. */
  readonly request: string | undefined;
}

const RPC = /\b([a-z][a-z0-9_.]*\.[A-Z]\w*)\/([A-Z]\w*)/;

/** Reads the commands of a block of shell that call an rpc; others are left out. */
export function readRpcCommands(shell: string): readonly RpcCommand[] {
  const lines = shell.replace(/\\\n\s*/g, '').split('\n');
  return lines.flatMap((line) => {
    const tool = toolOf(line);
    const [, service, method] = RPC.exec(line) ?? [];
    if (tool === undefined || service === undefined || method === undefined) return [];
    const request = /-d '([^']*)'/.exec(line)?.[1] ?? /'message=([^']*)'/.exec(line)?.[1];
    return [{ tool, service, method, request }];
  });
}

function toolOf(line: string): RpcCommand['tool'] | undefined {
  if (line.startsWith('npx buf curl ')) return 'buf curl';
  if (line.startsWith('grpcurl ')) return 'grpcurl';
  return line.startsWith('curl ') ? 'curl' : undefined;
}
