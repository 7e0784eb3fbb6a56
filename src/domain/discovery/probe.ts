// How it is found out whether an instance is alive.

/** A question to an address. */
export type ProbeCheck =
  | { readonly kind: 'tcp' }
  | { readonly kind: 'http'; readonly path: string }
  | { readonly kind: 'grpc'; readonly service: string };

/** A question that is asked again and again. */
export interface Probe {
  readonly check: ProbeCheck;
  /** 0: that of the instance. */
  readonly port: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How often in a row it fails before the instance is down. */
  readonly failureThreshold: number;
  /** How long it fails before the instance is renewed no longer. */
  readonly giveUpAfterMs: number;
}

/** Asks. */
export interface Prober {
  /** Rejects with PROBE_NOT_ALLOWED where the address may not be asked; a name is looked up. */
  requireAllowed(host: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves if the answer is good; else rejects, with the signal's reason in time. */
  ask(
    check: ProbeCheck,
    target: { readonly host: string; readonly port: number },
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

/** Whom a probe is for. */
export interface ProbedInstance {
  readonly service: string;
  readonly instanceId: string;
  readonly probe: Probe;
}

const CHECK_KINDS: ReadonlySet<unknown> = new Set<ProbeCheck['kind']>(['tcp', 'http', 'grpc']);

/** Returns whom to probe; undefined: nobody. */
export function readProbed(value: Uint8Array): ProbedInstance | undefined {
  try {
    const fields = JSON.parse(new TextDecoder().decode(value)) as ProbedInstance;
    const { check, port, intervalMs, timeoutMs, failureThreshold, giveUpAfterMs } = fields.probe;
    const isWhole =
      [fields.service, fields.instanceId].every((name) => typeof name === 'string') &&
      CHECK_KINDS.has(check.kind) &&
      port >= 0 &&
      [intervalMs, timeoutMs, failureThreshold, giveUpAfterMs].every((number) => number > 0);
    return isWhole ? fields : undefined;
  } catch {
    return undefined;
  }
}
