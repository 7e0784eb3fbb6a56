import { buildNewestEtcd, LATEST_3_5 } from '../../support/build-newest-etcd.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';

/**
 * The etcd that Concord is measured beside: the given one, else `CONCORD_TEST_ETCD`, else 3.5, built where Go is, else the one
 * that tests find. Not any 3.4 where it can be helped: after many writes at once its reads are several times slower than those of
 * later versions, since each copies the buffer of writes (`ConcurrentReadTx`), and what is beside it looks fast.
 */
export async function findBenchEtcd(given: string | undefined): Promise<string> {
  const binary = given ?? process.env['CONCORD_TEST_ETCD'];
  if (!binary) {
    const built = await buildNewestEtcd(LATEST_3_5);
    if (built.kind === 'built') return built.binary;
  }
  return (await findTestEtcd(binary)).binary;
}
