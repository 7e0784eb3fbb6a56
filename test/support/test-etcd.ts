import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgressFlag } from '../../src/embedded/etcd-arguments.ts';
import { type EtcdProcess, terminateEtcd } from '../../src/embedded/etcd-process.ts';
import { findFreePort } from '../../src/embedded/free-port.ts';
import { type LaunchOptions, launchEtcd } from '../../src/embedded/launch-etcd.ts';
import { findTestEtcd } from './find-test-etcd.ts';

/** What a test may choose. */
export interface TestEtcdOptions {
  /** @default what `findTestEtcd` finds */
  readonly binary?: string | undefined;
  /** Further etcd flags, such as `--auth-token-ttl=2`; they come last and so win. @default none */
  readonly args?: readonly string[] | undefined;
  /** `https` goes with `--cert-file` and `--key-file` in `args`. @default 'http' */
  readonly scheme?: 'http' | 'https' | undefined;
}

/** One etcd on loopback; disposing ends it and removes its data. */
export interface TestEtcd extends AsyncDisposable {
  /** Such as `http://127.0.0.1:23790`; the same for its whole life. */
  readonly endpoint: string;
  readonly port: number;
  /** The last process started. */
  readonly pid: number;
  readonly version: string;
  /** Temporary. */
  readonly dataDir: string;
  readonly isRunning: boolean;
  /** It may still answer for a moment: the system stops a process some time after the signal. */
  readonly isPaused: boolean;
  /** Ends the process and waits for its end; nothing starts it again but `restart`. @default 'SIGKILL' */
  kill(signal?: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** Holds it as a hanging machine would (SIGSTOP): connections stay open, nothing is answered. */
  pause(): void;
  /** Ends a pause. */
  resume(): void;
  /** Ends it if it runs, and starts it on the same ports and data; resolves when it serves. */
  restart(): Promise<void>;
  /** Idempotent; the same as disposing. */
  stop(): Promise<void>;
}

/** What a member needs to know before it starts. */
export interface MemberPlan {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** Where `/health` is served without TLS, should the client port have it. */
  readonly healthPort: number | undefined;
}

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;

/** Chooses free ports for a member. */
export async function planMember(name: string, options: TestEtcdOptions): Promise<MemberPlan> {
  return {
    name,
    clientPort: await findFreePort(HOST),
    peerPort: await findFreePort(HOST),
    healthPort: options.scheme === 'https' ? await findFreePort(HOST) : undefined,
  };
}

/** The address that the other members reach a member at. */
export function peerUrlOf(plan: MemberPlan): string {
  return `http://${HOST}:${plan.peerPort}`;
}

/** Gives a member that does not run yet; its `restart` starts it. It does not sync to disk. */
export async function createMember(
  plan: MemberPlan,
  initialCluster: string,
  options: TestEtcdOptions,
): Promise<TestEtcd> {
  const { binary, version } = await findTestEtcd(options.binary);
  const dataDir = await mkdtemp(join(tmpdir(), 'concord-etcd-'));
  const launch = await launchOptions(binary, join(dataDir, 'etcd'), plan, initialCluster, options);
  let etcd: EtcdProcess | undefined;
  let isPaused = false;
  let stopped: Promise<void> | undefined;

  const latest = (): EtcdProcess => {
    if (etcd === undefined) throw new Error('this etcd has not been started');
    return etcd;
  };
  const stop = async (): Promise<void> => {
    etcd?.kill('SIGKILL');
    await etcd?.exited;
    await rm(dataDir, { recursive: true, force: true });
  };
  const stopOnce = (): Promise<void> => {
    stopped ??= stop();
    return stopped;
  };
  return {
    endpoint: `${options.scheme ?? 'http'}://${HOST}:${plan.clientPort}`,
    port: plan.clientPort,
    version,
    dataDir,
    get pid() {
      return latest().pid;
    },
    get isRunning() {
      return etcd?.hasExited() === false;
    },
    get isPaused() {
      return isPaused;
    },
    async kill(signal = 'SIGKILL') {
      latest().kill(signal);
      await latest().exited;
    },
    pause() {
      latest().kill('SIGSTOP');
      isPaused = true;
    },
    resume() {
      latest().kill('SIGCONT');
      isPaused = false;
    },
    async restart() {
      if (etcd !== undefined) await terminateEtcd(etcd);
      isPaused = false;
      etcd = await launchEtcd(launch, { signal: new AbortController().signal });
    },
    stop: stopOnce,
    [Symbol.asyncDispose]: stopOnce,
  };
}

async function launchOptions(
  binary: string,
  dataDir: string,
  plan: MemberPlan,
  initialCluster: string,
  { scheme, args = [] }: TestEtcdOptions,
): Promise<LaunchOptions> {
  const { name, clientPort, peerPort, healthPort } = plan;
  const health = healthPort === undefined ? [] : [`--listen-metrics-urls=http://${HOST}:${healthPort}`];
  const progressFlag = await findProgressFlag(binary, { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  return {
    binary,
    progressFlag,
    healthPort,
    startTimeoutMs: START_TIMEOUT_MS,
    settings: {
      name,
      dataDir,
      host: HOST,
      clientPort,
      peerPort,
      scheme,
      initialCluster,
      unsafeNoFsync: true,
      // Often, so that no test waits for what an idle etcd says every 10 s.
      extraArguments: [...health, `${progressFlag}=500ms`, ...args],
    },
  };
}
