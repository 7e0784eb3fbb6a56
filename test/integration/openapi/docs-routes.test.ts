import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRawClient } from '../../support/raw-request.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  // Documentation needs no etcd.
  gateway = await startGateway(['http://127.0.0.1:1'], { CONCORD_CORS_ORIGINS: 'https://app.example.com' });
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe('/openapi.json', () => {
  it('is the document of gen/, with an entity tag', async () => {
    const response = await fetch(`${gateway.url}/openapi.json`);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-cache',
      'content-encoding': 'gzip',
    });
    expect(await response.text()).toBe(await readFile('gen/openapi.json', 'utf8'));
    const etag = response.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/".+"$/);
    const again = await fetch(`${gateway.url}/openapi.json`, { headers: { 'if-none-match': etag } });
    expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: '' });
  });

  it('is sent as it is to those who take no gzip, and to pages of other origins', async () => {
    const response = await fetch(`${gateway.url}/openapi.json`, {
      headers: { 'accept-encoding': 'identity', origin: 'https://app.example.com' },
    });
    expect(response.headers.get('content-encoding')).toBe(null);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(response.headers.get('vary')?.toLowerCase().split(', ').sort()).toEqual([
      'accept-encoding',
      'origin',
    ]);
    expect(await response.json()).toMatchObject({ openapi: '3.1.1' });
  });
});

describe('/docs', () => {
  it.each([
    ['/docs', 'text/html; charset=utf-8'],
    ['/docs/viewer.js', 'text/javascript; charset=utf-8'],
    ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
    ['/docs/favicon.png', 'image/png'],
  ])('serves %s as %s', async (path, type) => {
    const response = await fetch(`${gateway.url}${path}`);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': type,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    });
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
    const head = await fetch(`${gateway.url}${path}`, { method: 'HEAD' });
    expect(head.headers.get('etag')).toBe(response.headers.get('etag'));
    expect((await fetch(`${gateway.url}${path}`, { method: 'POST' })).status).toBe(405);
  });

  it('lets the page load nothing from elsewhere, and has nothing inline', async () => {
    const response = await fetch(`${gateway.url}/docs`);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const page = await response.text();
    expect(page).not.toMatch(/https?:|<script>|<style| style=| on\w+=/);
  });

  it('leads from /docs/ to the page', async () => {
    const response = await fetch(`${gateway.url}/docs/`);
    expect({ status: response.status, url: response.url }).toEqual({
      status: 200,
      url: `${gateway.url}/docs`,
    });
  });

  it.each([
    '/docs/../package.json',
    '/docs/%2e%2e/%2e%2e/package.json',
    '/docs/..%2fcreate-docs.ts',
    '/docs/create-docs.ts',
    '/docs/page.html',
    '/docs/swagger-ui.css/../package.json',
    '/docs/swagger-ui-bundle.js.map',
    '/docs//etc/passwd',
    '/docs/%00',
  ])('has no file at %s', async (path) => {
    // fetch would resolve the dots.
    await using client = createRawClient(gateway.port);
    const headers = { host: `127.0.0.1:${gateway.port}` };
    const { status } = await client.send('1.1', { method: 'GET', path, headers, body: new Uint8Array() });
    expect(status).toBe(404);
  });
});
