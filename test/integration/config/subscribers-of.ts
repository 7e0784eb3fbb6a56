import type { Subscriber } from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { ConfigClient } from './config-watch.ts';

/** Lists all subscribers of an application, page by page. */
export async function subscribersOf(
  config: ConfigClient,
  application: string,
  pageSize = 1_000,
): Promise<readonly Subscriber[]> {
  const found: Subscriber[] = [];
  for (let pageToken = ''; ; ) {
    const page = await config.listSubscribers({ application, pageSize, pageToken });
    found.push(...page.subscribers);
    if (page.nextPageToken === '') return found;
    pageToken = page.nextPageToken;
  }
}
