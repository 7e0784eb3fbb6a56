import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openBrowser } from '../../support/open-browser.ts';
import { openClients } from '../../support/open-clients.ts';
import { bundleScript, type ServedPage, servePage } from '../../support/serve-page.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { LockTask } from './fixture/lock-page.ts';

const opened = await openBrowser();

let page: ServedPage;
let gateway: TestGateway;

beforeAll(async () => {
  page = await servePage(await bundleScript(fileURLToPath(new URL('fixture/lock-page.ts', import.meta.url))));
  gateway = await startGatewayOnEtcd({ CONCORD_CORS_ORIGINS: page.origin });
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
  await page?.[Symbol.asyncDispose]();
});

describe('a lock that is held with connect-web in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;
  const endings: Readonly<Record<string, (tab: Page) => Promise<unknown>>> = {
    'its page is closed': (tab) => tab.close(),
    'its page goes elsewhere': (tab) => tab.goto('about:blank'),
    'its fetch is aborted': (tab) => tab.evaluate('letGo()'),
  };

  describe.each(['Connect, JSON', 'Connect, binary', 'gRPC-Web, binary'] as const)('over %s', (protocol) => {
    it.each(Object.entries(endings))("is the next one's when %s", async (_, end) => {
      const { locks } = openClients(gateway.url);
      const task: LockTask = { baseUrl: gateway.url, protocol, name: randomUUID() };
      const tab = await browser.newPage();
      try {
        await tab.goto(page.origin);
        const fencingToken = BigInt(await tab.evaluate<string>(`holdLock(${JSON.stringify(task)})`));
        expect(await locks.verify({ name: task.name, fencingToken })).toMatchObject({ held: true });
        const next = locks.acquire({ name: task.name });
        await eventually(async () =>
          expect((await locks.get({ name: task.name })).lock?.waiterCount).toBe(1),
        );
        await end(tab);
        expect((await next).fencingToken).toBeGreaterThan(fencingToken);
        await eventually(() => expect(gateway.app.stats().server.streams).toBe(0));
      } finally {
        await tab.close();
      }
    });
  });
});
