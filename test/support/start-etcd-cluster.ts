import { setTimeout as delay } from 'node:timers/promises';
import { retryWhilePortsAreTaken } from './retry-while-ports-are-taken.ts';
import { createMember, peerUrlOf, planMember, type TestEtcd, type TestEtcdOptions } from './test-etcd.ts';

/** A cluster on loopback; disposing ends all its members and removes their data. */
export interface TestEtcdCluster extends AsyncDisposable {
  readonly endpoints: readonly string[];
  readonly members: readonly TestEtcd[];
  /** The member that leads now; waits for one for at most 30 s. Members that are paused or ended are not asked. */
  leader(): Promise<TestEtcd>;
  /** Idempotent; the same as disposing. */
  stop(): Promise<void>;
}

/** Longer than a single member's, so that a busy machine loses no leader, but half of etcd's own. */
const ELECTION = ['--heartbeat-interval=50', '--election-timeout=500'];
const LEADER_WAIT_MS = 30_000;
const STATUS_TIMEOUT_MS = 2_000;
const POLL_MS = 50;

/**
 * Starts a cluster, and resolves when each member serves.
 *
 * A member's `restart` resolves only while a majority runs; restart several with `Promise.all`.
 *
 * @param size - how many members. @default 3
 */
export async function startEtcdCluster(
  size = 3,
  options: Omit<TestEtcdOptions, 'scheme'> = {},
): Promise<TestEtcdCluster> {
  const members = await retryWhilePortsAreTaken(() => startMembers(size, options));
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
  };
  return {
    endpoints: members.map(({ endpoint }) => endpoint),
    members,
    leader: () => findLeader(members),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function startMembers(size: number, options: TestEtcdOptions): Promise<readonly TestEtcd[]> {
  const names = Array.from({ length: size }, (_, index) => `member-${index + 1}`);
  const plans = await Promise.all(names.map((name) => planMember(name, options)));
  const cluster = plans.map((plan) => `${plan.name}=${peerUrlOf(plan)}`).join(',');
  const args = [...ELECTION, ...(options.args ?? [])];
  const members = await Promise.all(plans.map((plan) => createMember(plan, cluster, { ...options, args })));
  const starts = await Promise.allSettled(members.map((member) => member.restart()));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed === undefined) return members;
  await Promise.all(members.map((member) => member.stop()));
  throw failed.reason;
}

async function findLeader(members: readonly TestEtcd[]): Promise<TestEtcd> {
  const deadline = Date.now() + LEADER_WAIT_MS;
  while (Date.now() < deadline) {
    const leads = await Promise.all(members.map(isLeader));
    const leader = members.find((_, index) => leads[index]);
    if (leader !== undefined) return leader;
    await delay(POLL_MS);
  }
  throw new Error(`no member leads after ${LEADER_WAIT_MS} ms`);
}

/** A member knows that it leads when its own status names itself; one that does not answer in time does not lead. */
async function isLeader(member: TestEtcd): Promise<boolean> {
  if (!member.isRunning || member.isPaused) return false;
  try {
    const response = await fetch(`${member.endpoint}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
      signal: AbortSignal.timeout(STATUS_TIMEOUT_MS),
    });
    const status: unknown = await response.json();
    return isStatus(status) && status.leader === status.header.member_id;
  } catch {
    return false;
  }
}

function isStatus(value: unknown): value is { header: { member_id: string }; leader: string } {
  return typeof value === 'object' && value !== null && 'header' in value && 'leader' in value;
}
