// support: etcd servers for the tests, each on loopback with ports and data of its own.
// Any number of test files may use them at once, in parallel processes.

import { FAST_ELECTION } from './fast-election.ts';
import { retryWhilePortsAreTaken } from './retry-while-ports-are-taken.ts';
import { createMember, peerUrlOf, planMember, type TestEtcd, type TestEtcdOptions } from './test-etcd.ts';

/**
 * Starts an etcd with one member, and resolves when it serves. Nothing restarts it but the test.
 *
 * Its timing is that of {@link FAST_ELECTION}, unless `args` say otherwise.
 */
export async function startEtcd(options: TestEtcdOptions = {}): Promise<TestEtcd> {
  return retryWhilePortsAreTaken(async () => {
    const plan = await planMember('concord', options);
    const args = [...FAST_ELECTION, ...(options.args ?? [])];
    const member = await createMember(plan, `concord=${peerUrlOf(plan)}`, { ...options, args });
    try {
      await member.restart();
      return member;
    } catch (error) {
      await member.stop();
      throw error;
    }
  });
}
