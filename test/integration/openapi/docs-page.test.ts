import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleRequests, readOpenApiDocument } from '../../support/open-api-document.ts';
import { openBrowser } from '../../support/open-browser.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const TIMEOUT_MS = 120_000;
const opened = await openBrowser();
const operationIds = new Set(
  exampleRequests(readOpenApiDocument()).map(({ operation }) => operation.operationId),
);

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
});

describe('the page at /docs in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not looked at here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  it('shows every operation, says nothing on the console and asks nobody else', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using seen = await openPage();
    const { page } = seen;
    await page.goto(`${gateway.url}/docs`);
    await page.waitForSelector('.opblock', { timeout: TIMEOUT_MS / 2 });
    const shown = await page.locator('.opblock').evaluateAll((blocks) => blocks.map(({ id }) => id));
    // Swagger UI names a block by tag and operation.
    const named = [...operationIds].map((id) => `operations-${id.split('_')[0]}-${id}`);
    expect([...shown].sort()).toEqual(named.sort());
    expect(await page.locator('.errors-wrapper').count()).toBe(0);
    expect(seen.messages).toEqual([]);
    expect([...new Set(seen.origins)]).toEqual([gateway.url]);
  });

  it('tries a call out, and listens to a stream for a while', { timeout: TIMEOUT_MS }, async () => {
    await using seen = await openPage();
    const put = await tryOut(seen.page, 'KvService_Put');
    expect(put).toContain('"revision"');
    const watch = await tryOut(seen.page, 'KvService_Watch');
    expect(watch).toContain('KIND_SNAPSHOT');
    expect(watch).toContain('app/color');
    expect(seen.messages).toEqual([]);
    expect([...new Set(seen.origins)]).toEqual([gateway.url]);
  });

  async function openPage() {
    const page = await browser.newPage();
    const messages: string[] = [];
    const origins: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:') origins.push(origin);
    });
    return { page, messages, origins, [Symbol.asyncDispose]: () => page.close() };
  }

  /** Sends the example of an operation, and returns what the page shows as its answer. */
  async function tryOut(page: Page, operationId: string): Promise<string> {
    const block = page.locator(`#operations-${operationId.split('_')[0]}-${operationId}`);
    await page.goto(`${gateway.url}/docs`);
    await block.locator('.opblock-summary').click({ timeout: TIMEOUT_MS / 4 });
    await block.locator('.try-out__btn').click({ timeout: TIMEOUT_MS / 4 });
    await block.locator('button.execute').click();
    const answer = block.locator('.live-responses-table tr.response td.response-col_description').first();
    await answer.waitFor({ timeout: TIMEOUT_MS / 4 });
    return answer.innerText();
  }
});
